"""Mixed networks from torch to a library: the same answers as torch and as onnxruntime, whichever layers are binary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import torch

from b2nn_tvm import data, models
from b2nn_tvm.compiler import compile_model
from b2nn_tvm.deploy.library.artifact import Artifact
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.mixbin.training.train import evaluate, finetune, train
from b2nn_tvm.models.bireal import BiRealNet
from b2nn_tvm.targets.target import get
from b2nn_tvm.verification.oracle import Oracle
from b2nn_tvm.verification.relative_difference import TOLERANCE, relative_difference
from b2nn_tvm.verification.ties.open_choices import TIE

torch.set_num_threads(1)
IMAGE = (3, 32, 32)
ISAS = ("x86", "x86-avx512", "x86-vpopcntdq")


def subset(names: Sequence[str], share: float, seed: int) -> tuple[str, ...]:
    """A random part of the layers, in their order."""
    drawn = np.random.default_rng(seed).random(len(names)) < share
    return tuple(name for name, chosen in zip(names, drawn) if chosen)


def assert_rows(artifact: Artifact, chosen: Sequence[str], convolutions: Sequence[str]) -> None:
    """The library says "binary" of exactly the chosen layers, and why of every other convolution."""
    rows = {row.name: row for row in artifact.layers}
    assert set(convolutions) <= set(rows)
    assert {name for name, row in rows.items() if row.precision == "binary"} == set(chosen)
    for name in convolutions:
        assert rows[name].op == "conv2d" and rows[name].workload.startswith("conv2d_")
        assert rows[name].reason == "" if name in chosen else "its input is not a sign" in rows[name].reason


def convolutions_of(network: torch.nn.Module) -> list[str]:
    return [name for name, module in network.named_modules() if isinstance(module, torch.nn.Conv2d)]


# ---- a trained network on real images


@pytest.fixture(scope="module")
def digits() -> data.DataBundle:
    return data.digits()


@pytest.fixture(scope="module")
def float_network(digits) -> torch.nn.Module:
    torch.manual_seed(0)
    options = {"stem": "cifar", "widths": (8, 16, 32), "blocks": 1, "activation": "binrelu"}
    network = BiRealNet(classes=10, channels=3, image_size=32, **options)
    assert train(network, digits, epochs=6, hardware=Hardware(threads=1)).accuracy > 0.8
    return network.eval()


class Mixed:
    """The float network with some layers binary, fine-tuned; files and libraries are made when they are first asked
    for.
    """

    def __init__(self, network: torch.nn.Module, chosen: tuple[str, ...], digits: data.DataBundle, folder: Path):
        self.chosen = chosen
        self.torch = convert(network, chosen)
        if chosen:
            finetune(self.torch, network, digits, epochs=2, hardware=Hardware(threads=1))
        self.torch.eval()
        self._folder = folder
        self._libraries: dict[tuple[str, str], Artifact] = {}

    def file(self, form: str = "function") -> Path:
        path = self._folder / f"{form}.onnx"
        return path if path.is_file() else export_onnx(self.torch, path, input_shape=IMAGE, form=form)

    @cached_property
    def oracle(self) -> Oracle:
        return Oracle(self.file())

    def library(self, form: str = "function", target: str = "native") -> Artifact:
        if (form, target) not in self._libraries:
            folder = self._folder / f"{form}-{target}"
            self._libraries[form, target] = compile_model(self.file(form), target=target, output=folder, verify=False)
        return self._libraries[form, target]

    def close(self) -> None:
        for library in self._libraries.values():
            library.close()


CHOICES = {"none": (0, 0), "a third": (1 / 3, 1), "two thirds": (2 / 3, 2), "all": (1.1, 3)}


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=() if name == "two thirds" else pytest.mark.sweep) for name in CHOICES],
)
def mixed(request, float_network, digits, tmp_path_factory) -> Iterator[Mixed]:
    chosen = subset(trace(float_network, IMAGE).eligible, *CHOICES[request.param])
    made = Mixed(float_network, chosen, digits, tmp_path_factory.mktemp("mixed"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def images(digits) -> np.ndarray:
    """All test images, [360, 1, 3, 32, 32]."""
    return np.concatenate([batch.numpy() for batch, _ in digits.test_loader()])[:, None]


def answers(artifact: Artifact, images: np.ndarray, **options) -> np.ndarray:
    return np.concatenate([artifact.run({"input": image}, **options)["output"] for image in images])


def test_every_test_image_has_the_same_answer(mixed, images, digits):
    """As onnxruntime on the same file and as torch; and the same logits wherever no sign is decided by rounding."""
    ours = answers(mixed.library(), images)
    np.testing.assert_array_equal(answers(mixed.library(), images[:20], threads=2), ours[:20])
    theirs = np.concatenate([mixed.oracle.run({"input": image})["output"] for image in images])
    np.testing.assert_array_equal(ours.argmax(axis=1), theirs.argmax(axis=1))
    with torch.no_grad():
        torchs = mixed.torch(torch.from_numpy(images[:, 0])).numpy()
    for expected in (theirs, torchs):
        close = np.abs(ours - expected).max(axis=1) <= TOLERANCE * np.abs(expected).max(axis=1)
        np.testing.assert_array_equal(ours[close].argmax(axis=1), expected[close].argmax(axis=1))
        assert (~close).sum() <= len(images) / 20
        for image in images[~close]:  # onnxruntime and torch may decide a sign differently there, too
            assert mixed.oracle.closest_tie({"input": image}) < TIE
    labels = np.concatenate([target.numpy() for _, target in digits.test_loader()])
    accuracy = evaluate(mixed.torch, digits.test_loader())
    assert accuracy > 0.3
    assert (ours.argmax(axis=1) == labels).mean() == pytest.approx(accuracy, abs=1 / len(images))


def test_both_forms_of_the_file_give_the_same_library(mixed, images):
    function, plain = mixed.library("function"), mixed.library("plain")
    np.testing.assert_array_equal(answers(function, images[:40]), answers(plain, images[:40]))
    assert function.layers == plain.layers


def test_the_rows_name_the_chosen_layers(mixed, float_network):
    artifact = mixed.library()
    assert_rows(artifact, mixed.chosen, convolutions_of(float_network))
    assert next(row for row in artifact.layers if row.name == "fc").op == "dense"
    assert (artifact.manifest.sizes.packed_weights > 0) == bool(mixed.chosen)


@pytest.mark.in_turn("target", turn=1)
@pytest.mark.parametrize("mixed", ["two thirds"], indirect=True)
@pytest.mark.parametrize("target", ISAS)
def test_all_instruction_sets_give_the_same_answers(mixed, float_network, images, target):
    """Integers are equal, so only the float parts may differ, and no further than from onnxruntime."""
    if get(target).missing:
        pytest.skip(f"{target} needs {', '.join(get(target).missing)}")
    artifact = mixed.library(target=target)
    assert artifact.target.name == target
    assert_rows(artifact, mixed.chosen, convolutions_of(float_network))
    for image in images[:90]:
        ours, theirs = artifact.run({"input": image}), mixed.oracle.run({"input": image})
        assert ours["output"].argmax() == theirs["output"].argmax()
        if relative_difference(ours, theirs) > TOLERANCE:
            assert mixed.oracle.closest_tie({"input": image}) < TIE


# ---- the ImageNet layouts, narrow and small


@pytest.mark.parametrize(
    ("name", "share", "seed"),
    [
        pytest.param("bireal18", 0.5, 1, id="bireal18-half", marks=pytest.mark.sweep),
        pytest.param("resnet18", 0.5, 1, id="resnet18-half", marks=pytest.mark.sweep),
        pytest.param("bireal18", 1.1, 2, id="bireal18-all", marks=pytest.mark.sweep),
        pytest.param("resnet18", 1.1, 2, id="resnet18-all", marks=pytest.mark.sweep),
    ],
)
def test_networks_of_the_imagenet_layout(tmp_path, name, share, seed):
    """7x7 stem, max pooling, projections: random weights, batch norms estimated on random images of 64 x 64."""
    torch.manual_seed(seed)
    network = (
        models.bireal18(classes=10, image_size=64, width=8)
        if name == "bireal18"
        else models.resnet18(classes=10, width=8)
    )
    shape = (3, 64, 64)
    chosen = subset(trace(network, shape).eligible, share, seed)
    mixed = reestimate(convert(network, chosen), [(torch.randn(16, *shape),)]).eval()
    path = export_onnx(mixed, tmp_path / "net.onnx", input_shape=shape)
    oracle = Oracle(path)
    with compile_model(path, output=tmp_path / "library", verify=False) as artifact:
        assert_rows(artifact, chosen, convolutions_of(network))
        compared = 0
        for image in torch.randn(12, 1, *shape):
            ours, theirs = artifact.run({"input": image.numpy()}), oracle.run({"input": image.numpy()})
            with torch.no_grad():
                torchs = {"output": mixed(image).numpy()}
            for expected in (theirs, torchs):
                if relative_difference(ours, expected) <= TOLERANCE:
                    compared += 1
                else:
                    assert oracle.closest_tie({"input": image.numpy()}) < TIE
        assert compared >= 12
