"""Models and data by word, and checkpoints that do and do not fit."""

from __future__ import annotations

from dataclasses import replace
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

def pooled(classes):
    return torch.nn.Sequential(torch.nn.Conv2d(3, classes, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())

def as_torchvision(num_classes=1000):
    return pooled(num_classes)

def no_net():
    return 3

def broken(classes):
    return torch.nn.Linear(classes, "many")

def half(classes):
    net = pooled(classes).half()
    torch.nn.utils.parametrizations.weight_norm(net[0])
    return torch.nn.DataParallel(net)

def lazy(classes):
    return torch.nn.Sequential(torch.nn.LazyConv2d(classes, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())

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
    other = load_model(f"{module}:as_torchvision", digits, checkpoint=None, seed=0)
    assert other(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
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


def test_a_checkpoint_gives_its_weights_and_notes_what_it_leaves(digits, tmp_path: Path) -> None:
    source = models.cresnet20(classes=10, width=4)
    content = {"state_dict": {f"module.{name}": value for name, value in source.state_dict().items()}, "ema": {"a": 1}}
    torch.save({**content, "generator": {"w": torch.zeros(2, 2)}}, tmp_path / "float.pt")
    notes: list[str] = []
    target = models.cresnet20(classes=10, width=4)
    loaded = load_model(target, digits, checkpoint=tmp_path / "float.pt", seed=0, note=notes.append)
    assert torch.equal(loaded.conv1.weight, source.conv1.weight)
    assert notes == [f"{tmp_path}/float.pt: the weights are those in state_dict; those in generator are left"]


def test_a_checkpoint_for_more_classes(digits, module: str, tmp_path: Path) -> None:
    """Its own head is kept where the network is built for as many classes, or a new one is trained."""
    word, path = f"{module}:net", tmp_path / "float.pt"
    for classes in (20, 10):
        torch.manual_seed(classes)
        source = load_model(word, digits, checkpoint=None, seed=classes, classes=classes)
        torch.save(source.state_dict(), path)
        if classes == 20:
            with pytest.raises(InputError, match="for 20 classes.*--ignore-head.*--classes 20"):
                load_model(word, digits, checkpoint=path, seed=0)
        kept = load_model(word, digits, checkpoint=path, seed=0, classes=classes)
        assert torch.equal(kept[2].weight, source[2].weight)
        fresh = load_model(word, digits, checkpoint=path, seed=0, ignore_head=True)
        assert torch.equal(fresh[0].weight, source[0].weight)
        assert torch.equal(fresh[2].weight, load_model(word, digits, checkpoint=None, seed=0)[2].weight)


def test_numbers_of_classes_that_cannot_be(digits, module: str) -> None:
    build = lambda model, **options: load_model(model, digits, checkpoint=None, seed=0, **options)
    with pytest.raises(InputError, match="at least the 10 classes of the data digits, but got 9"):
        build(f"{module}:net", classes=9)
    with pytest.raises(InputError, match="this one is built already"):
        build(torch.nn.Conv2d(3, 3, 1), classes=12)
    with pytest.raises(InputError, match="no head to ignore without a checkpoint"):
        build(f"{module}:net", ignore_head=True)


def test_options_of_files_are_for_data_by_name(digits, module: str) -> None:
    for source in (digits, f"{module}:bundle"):
        for options in ({"skip_bad": 1}, {"image_size": 32}):
            with pytest.raises(InputError, match="for data given by name or path"):
                load_data(source, **options)
    assert load_data("digits", image_size=16).input_shape == (3, 16, 16)


def test_a_network_of_square_images_and_wide_data(digits, module: str) -> None:
    wide = replace(digits, input_shape=(3, 24, 32), preprocess=None)
    with pytest.raises(InputError, match="square images, but those of digits are 32x24: .*--image-size 24"):
        load_model(f"{module}:net", wide, checkpoint=None, seed=0)
    built = load_model(f"{module}:pooled", wide, checkpoint=None, seed=0)
    assert built(torch.zeros(1, 3, 24, 32)).shape == (1, 10)


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


def test_errors_of_the_users_own_code_are_said_to_be_theirs(digits, module: str, tmp_path: Path) -> None:
    line = MODULE.splitlines().index('    return torch.nn.Linear(classes, "many")') + 1
    message = rf"'{module}:broken': your factory fails with TypeError: .* \({module}.py:{line}\)"
    with pytest.raises(InputError, match=message):
        load_model(f"{module}:broken", digits, checkpoint=None, seed=0)
    with pytest.raises(InputError, match=f"'{module}:broken': your factory fails with TypeError"):
        load_data(f"{module}:broken")
    (tmp_path / f"{module}_wrong.py").write_text("import torch\n\nraise RuntimeError('no device')\n")
    with pytest.raises(
        InputError, match=rf"importing {module}_wrong fails with RuntimeError: no device \({module}_wrong.py:3\)"
    ):
        load_model(f"{module}_wrong:net", digits, checkpoint=None, seed=0)


def test_a_script_that_ends_the_program_is_named(digits, module: str, tmp_path: Path) -> None:
    (tmp_path / f"{module}_script.py").write_text(f"from {module} import net\nraise SystemExit(2)\n")
    with pytest.raises(
        InputError, match=rf"ends the program with SystemExit: 2 \({module}_script.py:2\): put .*__main__"
    ):
        load_model(f"{module}_script:net", digits, checkpoint=None, seed=0)
    (tmp_path / f"{module}_exits.py").write_text("def net(classes):\n    raise SystemExit('no weights')\n")
    with pytest.raises(InputError, match="your factory fails with SystemExit: no weights"):
        load_model(f"{module}_exits:net", digits, checkpoint=None, seed=0)


def test_a_file_with_the_name_of_another_module_is_not_confused_with_it(digits, module: str, tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text(MODULE)
    with pytest.raises(InputError, match="another module of the name random is imported already, .*random.py; give"):
        load_model("random.py:net", digits, checkpoint=None, seed=0)


def test_a_network_comes_in_float32_without_what_wraps_it(digits, module: str) -> None:
    notes: list[str] = []
    network = load_model(f"{module}:half", digits, checkpoint=None, seed=0, note=notes.append)
    assert {name: value.dtype for name, value in network.state_dict().items()} == {
        "0.weight": torch.float32,
        "0.bias": torch.float32,
    }
    assert notes == ["the network's weights are torch.float16; all is computed in torch.float32"]


def test_a_lazy_network_takes_a_checkpoint(digits, module: str, tmp_path: Path) -> None:
    weights = load_model(f"{module}:lazy", digits, checkpoint=None, seed=1).state_dict()
    torch.save(weights, tmp_path / "weights.pt")
    network = load_model(f"{module}:lazy", digits, checkpoint=tmp_path / "weights.pt", seed=0)
    assert torch.equal(network.state_dict()["0.weight"], weights["0.weight"])


def test_a_factory_may_be_in_a_file(digits, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"{module}.py").rename(tmp_path / "elsewhere" / f"{module}_file.py")
    for word in (f"./elsewhere/{module}_file.py:net", f"{tmp_path}/elsewhere/{module}_file.py:net"):
        assert load_model(word, digits, checkpoint=None, seed=0)(torch.zeros(1, 3, 32, 32)).shape == (1, 10)
    with pytest.raises(InputError, match="there is no file nowhere/nets.py"):
        load_model("nowhere/nets.py:net", digits, checkpoint=None, seed=0)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "cresnet21",
            r"there is no network 'cresnet21' \(did you mean cresnet20\?\); choose one of cresnet20, .*vgg_small$",
        ),
        ("nets.make_net", r"\(did you mean nets:make_net\?\)"),
        ("float.pt", "--checkpoint"),
        ("{}:nett", r"has no function 'nett' \(did you mean net\?\)"),
    ],
)
def test_what_may_have_been_meant(digits, module: str, word: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_model(word.format(module), digits, checkpoint=None, seed=0)
