"""Which entry of a checkpoint has the weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.checkpoint.find_weights import find_weights

PATH = Path("a.pt")
W, V = ({"c.weight": torch.full((2, 2), value), "c.bias": torch.zeros(2)} for value in (1.0, 2.0))
ADAM = {"state": {0: {"exp_avg": torch.zeros(2, 2)}}, "param_groups": [{"lr": 0.1}]}


def found(content: object) -> tuple[float, list[str]]:
    notes: list[str] = []
    weights = find_weights(content, PATH, note=notes.append)
    assert set(weights) == set(W)
    return weights["c.weight"][0, 0].item(), notes


@pytest.mark.parametrize(
    "content",
    [
        W,
        {"state_dict": W, "epoch": 3, "best_acc1": torch.tensor(76.1), "optimizer": ADAM},
        {"model_state_dict": W, "optimizer_state_dict": ADAM, "loss": 0.1},
        {"model": W, "args": None, "scheduler": {}},
        {"net": W, "acc": 93.0},
        {"state_dict_ema": W},
        {"ema": {"module": W, "updates": 3}},
        {"model": {"state_dict": W}},
        {"state_dict": W, "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.9)}}},
        {"state_dict": W, "queue": torch.zeros(4, 8)},
        {"teacher": W, "epoch": 3},
        {"my_resnet": W, "step": 3},
        {"model": {**W, "c._extra_state": {"scale": torch.zeros(2, 2)}}},
        {"params": W, "rng": torch.zeros(5, dtype=torch.uint8)},
        (W, 93.0),
        [{"state_dict": W}, ADAM, None],
    ],
)
def test_the_entry_with_the_weights(content: object) -> None:
    assert found(content) == (1.0, [])


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ({"state_dict": V, "state_dict_ema": W}, "those in state_dict_ema; those in state_dict are left"),
        ({"model": V, "ema": {"module": W}}, "those in ema.module; those in model are left"),
        ({"params": V, "params_ema": W}, "those in params_ema; those in params are left"),
        ({"discriminator": V, "net": W}, "those in net; those in discriminator are left"),
        ({"teacher": V, "model": W}, "those in model; those in teacher are left"),
        ({"momentum_encoder": V, "encoder": W}, "those in encoder; those in momentum_encoder are left"),
        ({"net": V, "net_EMA": W}, "those in net_EMA; those in net are left"),
    ],
)
def test_a_choice_between_several_is_said(content: dict, note: str) -> None:
    assert found(content) == (1.0, [f"a.pt: the weights are {note}"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "expected a state_dict, but it holds a list"),
        (torch.zeros(3, 3), "holds a Tensor"),
        ({}, "no entry holds tensors by name; it has nothing"),
        ({"epoch": 3, "optimizer": ADAM}, "it has epoch, optimizer"),
        ({"generator": W, "discriminator": V}, "one network, but generator, discriminator hold weights"),
    ],
)
def test_what_has_no_weights_or_those_of_two_networks(content: object, message: str) -> None:
    with pytest.raises(InputError, match=f"a.pt: .*{message}"):
        find_weights(content, PATH, note=print)
