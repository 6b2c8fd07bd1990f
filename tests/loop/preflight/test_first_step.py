"""The first step of a training on two images: what fails in it is told as the user's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from b2nn_tvm import data
from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.preflight.first_step import first_batches, labels_of, take_step
from tests.support.mixbin import noise


class Own:
    """A user's split, which gives what it is told to."""

    augmented, digest = False, "own"

    def __init__(self, answer):
        self._answer = answer

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index):
        return self._answer(len(index.images))


def ignore(text: str) -> None:
    return


def with_train(answer) -> data.DataBundle:
    return replace(noise.images(), train=Own(answer))


def test_two_images_are_read_and_nothing_changes() -> None:
    network, bundle = noise.network().eval(), noise.images()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    batches = first_batches(bundle, note=ignore)
    assert {split: len(images) for split, (images, _) in batches.items()} == {"train": 2, "val": 2, "test": 2}
    draws = torch.random.get_rng_state()
    take_step(network, batches, trains=True)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), draws) and not network.training
    assert all(parameter.grad is None for parameter in network.parameters())


def test_batches_of_one_image_are_tried_as_such() -> None:
    one = first_batches(noise.images(), note=ignore, batch_size=1)
    assert {len(images) for images, _ in one.values()} == {1}
    network = nn.Sequential(nn.Conv2d(1, 4, 8), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 3))
    take_step(network, first_batches(noise.images(), note=ignore), trains=True)
    with pytest.raises(InputError, match=r"the first step of training, on 1 image, fails with .*more than 1 value"):
        take_step(network, one, trains=True)


good = torch.zeros(2, 1, 8, 8)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            lambda count: {}["photo 7"],
            r"reading 2 images of the train split fails with KeyError: 'photo 7' \(test_fi",
        ),
        (lambda count: 3, "reading 2 images .* fails with TypeError: cannot unpack"),
        (lambda count: (good.double(), torch.zeros(2).long()), r"images torch.float32 \[2, 1, 8, 8\] .*torch.float64"),
        (lambda count: (good[:, :, 1:], torch.zeros(2).long()), r"they are torch.float32 \[2, 1, 7, 8\]"),
        (lambda count: (good / 0, torch.zeros(2).long()), "values that are not finite"),
        (lambda count: (good, torch.zeros(2)), r"labels torch.int64 \[2\] .*they are torch.float32"),
        (
            lambda count: (good, torch.full((2,), 3)),
            "a label of the train split is 3, but the 3 classes .* 0 to 2; count",
        ),
    ],
)
def test_what_a_users_data_set_gives_wrong(answer, message: str) -> None:
    with pytest.raises(InputError, match=message):
        first_batches(with_train(answer), note=ignore)


def test_labels_that_are_known_are_all_looked_at() -> None:
    bundle, notes = noise.images(), []
    labels = torch.zeros(32).long()
    first_batches(replace(bundle, val=data.TensorImages(bundle.val.images, labels)), note=notes.append)
    assert notes == ["noise: the val split has no images of b, c"]
    labels[-1] = 7
    with pytest.raises(InputError, match="a label of the val split is 7"):
        first_batches(replace(bundle, val=data.TensorImages(bundle.val.images, labels)), note=ignore)
    assert labels_of(Own(None)) is None and np.array_equal(labels_of(bundle.test), bundle.test.labels)


class OnlyEvaluated(nn.Linear):
    def forward(self, images):
        if self.training:
            raise ValueError("no mask was given")
        return super().forward(images)


class OnlyTrained(nn.Linear):
    def forward(self, images):
        if not self.training:
            raise ValueError("no mask was given")
        return super().forward(images)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            OnlyEvaluated(8, 8),
            r"step of training, on 2 images, fails with ValueError: no mask was given \(test_first",
        ),
        (OnlyTrained(8, 8), r"evaluation mode fails with ValueError: no mask was given \(test_first_step"),
        (nn.Linear(8, 8).requires_grad_(False), "fails with RuntimeError: element 0 of tensors does not require grad"),
    ],
)
def test_what_fails_in_the_network(network: nn.Module, message: str) -> None:
    batches = first_batches(noise.images(), note=ignore)
    flat = nn.Sequential(network, nn.Flatten(), nn.Linear(64, 3).requires_grad_(network.weight.requires_grad))
    with pytest.raises(InputError, match=message):
        take_step(flat, batches, trains=True)


def test_a_loss_that_is_no_number_and_a_network_that_is_not_trained() -> None:
    batches = first_batches(noise.images(), note=ignore)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).requires_grad_(False)
    take_step(flat, batches, trains=False)
    flat[1].weight.fill_(float("nan"))
    with pytest.raises(InputError, match="the loss of the first two images is nan; check the weights"):
        take_step(flat, batches, trains=False)
