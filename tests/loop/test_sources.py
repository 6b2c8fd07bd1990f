"""Models and data by word, and checkpoints that do and do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from b2nn_tvm import data, models
from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.sources import load_data, load_model, name_of

MODULE = """
import torch
from b2nn_tvm import data

def net(classes, image_size, width=4):
    dense = torch.nn.Linear(width * (image_size - 2) ** 2, classes)
    return torch.nn.Sequential(torch.nn.Conv2d(3, width, 3), torch.nn.Flatten(), dense)

def no_net():
    return 3

def bundle():
    return data.digits()
"""


@pytest.fixture(scope="module")
def digits() -> data.DataBundle:
    return data.digits()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module in the current folder, under a name of its own so that no other test's is found in its place."""
    name = f"mynets_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_a_module_is_copied_so_that_the_users_stays_as_it_is(digits) -> None:
    model = models.cresnet20(classes=10, width=4)
    copy = load_model(model, digits, checkpoint=None, seed=0)
    assert torch.equal(copy.conv1.weight, model.conv1.weight) and copy.conv1.weight is not model.conv1.weight
    assert name_of(model) == "BiRealNet" and name_of("cresnet20") == "cresnet20"


def test_a_built_in_network_fits_the_data_and_follows_the_seed(digits) -> None:
    first, again, other = (load_model("cresnet20", digits, checkpoint=None, seed=seed) for seed in (1, 1, 2))
    assert first(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    assert torch.equal(first.conv1.weight, again.conv1.weight) and not torch.equal(
        first.conv1.weight, other.conv1.weight
    )


def test_a_built_in_trunk_is_no_classifier(digits) -> None:
    with pytest.raises(InputError, match="model 'siamfc' gives features, not class scores.*docs/tracking.md"):
        load_model("siamfc", digits, checkpoint=None, seed=0)


def test_a_factory_gets_the_arguments_that_it_has(digits, module: str) -> None:
    model = load_model(f"{module}:net", digits, checkpoint=None, seed=0)
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    assert load_data(f"{module}:bundle").digest == digits.digest


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("nosuchnet", "cresnet20"),
        ("nosuchmodule:net", "no module 'nosuchmodule'"),
        ("{}:absent", "no function 'absent'"),
        ("{}:no_net", "torch module"),
    ],
)
def test_models_that_are_none(digits, module: str, word: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_model(word.format(module), digits, checkpoint=None, seed=0)


@pytest.mark.parametrize(
    ("word", "message"), [("nosuchset", "digits"), ("{}:no_net", "DataBundle"), ("{}:absent", "no function")]
)
def test_data_that_is_none(module: str, word: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_data(word.format(module))


def test_things_that_are_neither_words_nor_what_they_stand_for(digits) -> None:
    with pytest.raises(InputError, match="int"):
        load_model(3, digits, checkpoint=None, seed=0)
    with pytest.raises(InputError, match="ndarray"):
        load_data(np.zeros(3))


@pytest.mark.parametrize(
    "wrap", [lambda weights: weights, lambda weights: {"state_dict": {f"module.{k}": v for k, v in weights.items()}}]
)
def test_a_checkpoint_gives_its_weights(digits, tmp_path: Path, wrap) -> None:
    source = models.cresnet20(classes=10, width=4)
    torch.save(wrap(source.state_dict()), tmp_path / "float.pt")
    loaded = load_model(models.cresnet20(classes=10, width=4), digits, checkpoint=tmp_path / "float.pt", seed=0)
    assert torch.equal(loaded.conv1.weight, source.conv1.weight)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"not torch", "cannot be read"),
        ([1, 2], "holds a list"),
        ({"strange.weight": torch.zeros(1)}, "lacks"),
        ("wider", "other shapes for"),
        ("more", "unknown extra"),
    ],
)
def test_checkpoints_that_do_not_fit(digits, tmp_path: Path, content, message: str) -> None:
    path, model = tmp_path / "float.pt", models.cresnet20(classes=10, width=4)
    if content == "wider":
        content = models.cresnet20(classes=10, width=8).state_dict()
    elif content == "more":
        content = {**model.state_dict(), "extra": torch.zeros(1)}
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=f"float.pt.*{message}"):
        load_model(model, digits, checkpoint=path, seed=0)
