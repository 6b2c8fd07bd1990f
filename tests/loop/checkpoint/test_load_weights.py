"""A checkpoint in a network, and what is said where they differ."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.checkpoint.load_weights import load_weights


def net(classes: int = 10, width: int = 4) -> nn.Sequential:
    parts = {"stem": nn.Conv2d(3, width, 3), "bn": nn.BatchNorm2d(width), "flat": nn.Flatten()}
    model = nn.Sequential()
    for name, part in {**parts, "fc": nn.Linear(width, classes)}.items():
        model.add_module(name, part)
    return model


def load(path: Path, content: object, model: nn.Module, *, classes: int = 10, ignore_head: bool = False) -> list[str]:
    torch.save(content, path / "a.pt")
    notes: list[str] = []
    load_weights(model, path / "a.pt", classes=classes, ignore_head=ignore_head, note=notes.append)
    return notes


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state,
        lambda state: {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")},
        lambda state: {**state, "bn.num_batches_tracked": torch.tensor([0])},
        lambda state: {**state, "total_ops": torch.zeros(1), "stem.total_params": torch.zeros(1)},
        lambda state: {name: value.half() if value.is_floating_point() else value for name, value in state.items()},
        lambda state: {name: value.double() if value.is_floating_point() else value for name, value in state.items()},
    ],
)
def test_weights_are_taken_in_the_networks_own_precision(tmp_path: Path, change) -> None:
    source, target = net(), net()
    assert load(tmp_path, change(source.state_dict()), target) == []
    assert target.fc.weight.dtype == torch.float32
    for name, value in target.state_dict().items():
        assert torch.allclose(value.float(), source.state_dict()[name].float(), atol=1e-3), name


def test_all_that_differs_is_said_at_once_with_what_is_close(tmp_path: Path) -> None:
    state = net(width=8).state_dict()
    state["stem1.weight"] = state.pop("stem.weight")
    with pytest.raises(InputError) as error:
        load(tmp_path, state, net())
    text = str(error.value)
    assert "does not fit Sequential: it lacks 1 of 9: stem.weight (perhaps its stem1.weight)" in text
    assert "has unknown stem1.weight" in text
    assert "has other shapes for stem.bias ([8] instead of [4]), bn.weight ([8] instead of [4])" in text


def test_another_number_of_classes_names_the_ways_out(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"for 20 classes, by fc.weight, fc.bias.*--ignore-head, or .*--classes 20 "):
        load(tmp_path, net(20).state_dict(), net())
    with pytest.raises(InputError, match="for 5 classes.*--ignore-head$"):
        load(tmp_path, net(5).state_dict(), net())


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state,
        lambda state: {name: value for name, value in state.items() if not name.startswith("fc")},
        lambda state: {name.replace("fc", "head.mlp"): value for name, value in state.items()},
        lambda state: {f"module.{name.replace('fc', 'classifier')}": value for name, value in state.items()},
    ],
)
@pytest.mark.parametrize("classes", [10, 20])
def test_a_head_that_is_ignored_stays_as_it_was(tmp_path: Path, change, classes: int) -> None:
    source, target = net(classes), net()
    before = target.fc.weight.clone()
    notes = load(tmp_path, change(source.state_dict()), target, ignore_head=True)
    assert torch.equal(target.fc.weight, before) and torch.equal(target.stem.weight, source.stem.weight)
    assert len(notes) == 1 and "fc.weight, fc.bias start anew" in notes[0]


def test_there_must_be_a_head_to_ignore_and_the_rest_must_fit(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no layer with 7 outputs"):
        load(tmp_path, net().state_dict(), net(), classes=7, ignore_head=True)
    with pytest.raises(InputError, match="other shapes for stem.weight"):
        load(tmp_path, net(width=8).state_dict(), net(), ignore_head=True)


def test_what_lies_outside_of_the_network_is_said(tmp_path: Path) -> None:
    state = {f"model.{name}": value for name, value in net().state_dict().items()}
    (note,) = load(tmp_path, {"state_dict": {**state, "criterion.weight": torch.ones(10)}}, net())
    assert note == f"{tmp_path}/a.pt: takes what is under model. and leaves criterion.weight"


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (torch.zeros(4, 3, 3, 3, dtype=torch.int8), "stem.weight holds torch.int8, as quantized networks do"),
        (torch.zeros(4, 3, 3, 3).to_sparse(), "stem.weight is quantized, sparse"),
    ],
)
def test_weights_that_are_not_float(tmp_path: Path, weight: torch.Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path, {**net().state_dict(), "stem.weight": weight}, net())


def test_one_of_two_networks_is_not_chosen_at_random(tmp_path: Path) -> None:
    state = {
        f"{prefix}.{name}": value for prefix in ("generator", "critic") for name, value in net().state_dict().items()
    }
    with pytest.raises(InputError, match=r"of one network, but those under generator\., critic\. would all fit"):
        load(tmp_path, state, net())


@pytest.mark.parametrize("prefix", ["", "module."])
def test_what_quantizers_of_torch_kept_is_left(tmp_path: Path, prefix: str) -> None:
    source, target = net(), net()
    kept = ["stem.weight_fake_quant.scale", "stem.activation_post_process.min_val", "activation_post_process_0.scale"]
    state = source.state_dict() | {name: torch.ones(1) for name in kept}
    (note,) = load(tmp_path, {prefix + name: value for name, value in state.items()}, target)
    assert note.endswith(f"leaves {prefix}{kept[0]}, {prefix}{kept[1]}, {prefix}{kept[2]}")
    assert "takes the weights of the network" in note or prefix
    assert torch.equal(target.fc.weight, source.fc.weight)
