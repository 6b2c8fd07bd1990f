import itertools

import pytest

from b2nn_tvm.data.batches import BatchesInOrder, ShuffledBatches


def images(sampler):
    return [index.images for index in sampler]


def test_the_order_is_fixed_by_seed_and_epoch():
    one, same, other = (ShuffledBatches(50, 8, seed=seed) for seed in (1, 1, 2))
    assert list(one) == list(same) == list(one)
    assert images(one) != images(other)
    same.set_epoch(1)
    assert images(one) != images(same)
    one.set_epoch(1)
    assert list(one) == list(same)


@pytest.mark.parametrize(("count", "batch", "replicas"), [(50, 8, 1), (64, 8, 2), (53, 8, 3), (5, 8, 1), (5, 8, 2)])
def test_processes_share_an_epoch_without_overlap(count, batch, replicas):
    samplers = [ShuffledBatches(count, batch, seed=3, replicas=replicas, rank=rank) for rank in range(replicas)]
    parts = [images(sampler) for sampler in samplers]
    assert (
        {len(part) for part in parts} == {len(sampler) for sampler in samplers} == {max(1, count // (batch * replicas))}
    )
    seen = list(itertools.chain(*itertools.chain(*parts)))
    assert len(seen) == len(set(seen)) and set(seen) <= set(range(count))
    assert len({len(chosen) for part in parts for chosen in part}) == 1


def test_each_batch_has_its_own_augmentation_seed():
    seeds = [index.seed for index in ShuffledBatches(80, 8, seed=0)]
    assert len(set(seeds)) == 10


def test_in_order_means_all_once_and_without_augmentation():
    batches = list(BatchesInOrder(10, 4))
    assert [index.images for index in batches] == [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9)]
    assert len(BatchesInOrder(10, 4)) == 3 and {index.seed for index in batches} == {None}


@pytest.mark.parametrize(("count", "batch", "replicas"), [(10, 4, 2), (10, 64, 3), (5, 2, 2)])
def test_processes_share_what_is_in_order(count, batch, replicas):
    parts = [list(BatchesInOrder(count, batch, replicas=replicas, rank=rank)) for rank in range(replicas)]
    assert all(parts) and [len(BatchesInOrder(count, batch, replicas=replicas, rank=r)) for r in range(replicas)] == [
        len(part) for part in parts
    ]
    assert sorted(image for part in parts for index in part for image in index.images) == list(range(count))
