"""Weights in parts, as torch itself writes them, are the weights that the module computes with."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from b2nn_tvm.loop.checkpoint.fold_weights import fold_weights


def old_weight_norm(conv: nn.Conv2d) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, which has a newer one
        nn.utils.weight_norm(conv)


def pruned(conv: nn.Conv2d) -> None:
    prune.random_unstructured(conv, "weight", 0.4)
    prune.random_unstructured(conv, "bias", 0.5)


@pytest.mark.parametrize(
    "change",
    [pruned, old_weight_norm, parametrizations.weight_norm, lambda conv: parametrizations.weight_norm(conv, dim=1)],
)
def test_the_parts_become_the_weight(change: Callable[[nn.Conv2d], object]) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 1, 3))
    names = list(net.state_dict())
    change(net[0])
    change(net[2])
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(1.5)  # as training does, so that the length of v is not g
        image = torch.randn(1, 3, 8, 8)
        expected = net(image)
    found = fold_weights(net.state_dict(), names)
    assert set(found) == set(names)
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 1, 3))
    plain.load_state_dict(found)
    with torch.no_grad():
        torch.testing.assert_close(plain.train()(image), expected)


def test_a_network_with_the_same_parts_gets_them_as_they_are() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    parametrizations.weight_norm(net[0])
    state = net.state_dict()
    assert set(fold_weights({f"module.{name}": value for name, value in state.items()}, state)) == {
        f"module.{name}" for name in state
    }


def test_names_that_only_end_alike_stay() -> None:
    state = {"gate_g": torch.zeros(4), "gate_v": torch.zeros(2, 2), "w_orig": torch.zeros(2), "w_mask": torch.zeros(3)}
    assert fold_weights(state, []) == state
