"""Networks that are hardly better than guessing are told."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from b2nn_tvm import data
from b2nn_tvm.loop.preflight.near_chance import chance_of, near_chance
from tests.support.mixbin import noise


def bundle(*counts: int) -> data.DataBundle:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    split = data.TensorImages(torch.zeros(len(labels), 1, 2, 2), labels)
    return replace(noise.images(), val=split, class_names=tuple(map(str, range(len(counts)))))


@pytest.mark.parametrize(
    ("counts", "accuracy", "is_near"),
    [
        ((100, 100), 0.5, True),
        ((100, 100), 0.55, True),
        ((100, 100), 0.65, False),
        ((180, 20), 0.9, True),  # the most frequent class
        ((20,) * 10, 0.11, True),
        ((20,) * 10, 0.2, False),
        ((3, 3), 0.83, True),  # five of six: not told apart from luck
        ((2,) * 500, 0.08, False),
        ((100, 100), 1.0, False),
    ],
)
def test_what_counts_as_guessing(counts: tuple[int, ...], accuracy: float, is_near: bool) -> None:
    text = near_chance("the float network", accuracy, bundle(*counts))
    assert (text is not None) == is_near
    if text:
        assert text.startswith(f"the float network is right on {accuracy:.1%} of the {sum(counts)} validation images")


def test_labels_that_are_not_known_count_as_even() -> None:
    class Own:
        def __len__(self) -> int:
            return 40

    assert chance_of(replace(noise.images(), val=Own())) == 1 / 3
