"""The memory plan: no two tensors that live at the same time overlap, and borders stay what they are."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.deploy.codegen.plan_arena import ALIGNMENT, Lifetime, plan


def overlap(tensors, offsets, i, j):
    return offsets[i] < offsets[j] + tensors[j].size and offsets[j] < offsets[i] + tensors[i].size


def assert_sound(tensors):
    """Whatever overlaps in memory is apart in time, and has the same border and the very same place, or none at all."""
    planned = plan(tensors)
    assert all(offset % ALIGNMENT == 0 for offset in planned.offsets)
    assert planned.size >= max((offset + t.size for offset, t in zip(planned.offsets, tensors)), default=0)
    for i, one in enumerate(tensors):
        for j, other in enumerate(tensors[:i]):
            if overlap(tensors, planned.offsets, i, j):
                assert one.last < other.first or other.last < one.first
                assert one.border == other.border
                assert one.border is None or planned.offsets[i] == planned.offsets[j]
    return planned


def test_a_chain_takes_two_places():
    planned = assert_sound([Lifetime(64, step, step + 1) for step in range(10)])
    assert planned.size == 128 and set(planned.offsets) == {0, 64}


def test_what_a_step_reads_and_what_it_writes_are_apart():
    assert assert_sound([Lifetime(64, 0, 1), Lifetime(64, 1, 2)]).size == 128


def test_small_tensors_fill_the_gaps_between_large_ones():
    tensors = [Lifetime(1024, 0, 2), Lifetime(256, 1, 3), Lifetime(512, 3, 5), Lifetime(512, 4, 6)]
    assert assert_sound(tensors).size == 1280


def test_a_tensor_that_is_read_late_keeps_its_place():
    tensors = [Lifetime(64, 0, 9), *(Lifetime(64, step, step + 1) for step in range(1, 9))]
    planned = assert_sound(tensors)
    assert planned.size == 192 and planned.offsets[0] not in planned.offsets[1:]


def test_nothing_takes_nothing():
    assert plan([]).size == 0


@pytest.mark.parametrize("seed", range(20))
def test_random_plans_are_sound_and_close_to_what_is_needed(seed):
    rng = np.random.default_rng(seed)
    tensors = []
    for first in rng.integers(0, 30, 60):
        border = (None, None, "a", "b")[rng.integers(4)]
        size = int(rng.integers(1, 3000)) if border is None else {"a": 640, "b": 200}[border]
        tensors.append(Lifetime(size, int(first), int(first + rng.integers(0, 6)), border and (border,)))
    planned = assert_sound(tensors)
    plain = [t for t in tensors if t.border is None]
    needed = max(sum(t.size for t in plain if t.first <= step <= t.last) for step in range(36))
    assert planned.size < sum(t.size for t in tensors) / 2
    assert plan(plain).size <= 1.25 * needed + 64 * len(plain)
