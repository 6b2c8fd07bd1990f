"""Bundles of a mixed C-ResNet-20 and of a narrow Bi-Real-18 for 64-bit and 32-bit boards, run on each CPU that they are
for.

The activations around each binary convolution are outputs, too. They are stored as floats anyway, because shortcuts
read them, so the kernels are those that ship; and from them the integers of every binary convolution are found again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from b2nn_tvm import reference
from b2nn_tvm.cli.compile import main
from b2nn_tvm.compiler import compile_model
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.bundle import write_bundle
from b2nn_tvm.verification.oracle import Oracle
from b2nn_tvm.verification.relative_difference import TOLERANCE, relative_difference
from b2nn_tvm.verification.ties.open_choices import TIE

pytestmark = pytest.mark.emulated

FIRST = (("cresnet20", "arm"),)  # the others are a sweep
BOARDS = (("arm", "cortex-a53"), ("arm", "cortex-a72"), ("arm", "cortex-a76"), ("armv7", "cortex-a7"))
IMAGES = 2
BINARY_LAYERS = {"cresnet20": 9, "bireal18": 16}


@dataclass(frozen=True)
class BinaryLayer:
    """A binary convolution between the activations ``x`` and ``y``: y = norm(scale * integers) + shortcut."""

    name: str
    x: str
    shortcut: str
    y: str
    signs: np.ndarray  # of the weights, [O, C, kh, kw]
    threshold: np.ndarray
    options: dict[str, object]
    factor: np.ndarray  # of the integers, and what is added, both per output channel
    offset: np.ndarray

    def integers(self, x: np.ndarray) -> np.ndarray:
        """What reference.py computes from the activations."""
        return reference.binary_conv2d(reference.sign(x, self.threshold[:, None, None]), self.signs, **self.options)

    def found(self, shortcut: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The integers that the board must have had, in float64."""
        channels = lambda values: values.astype(np.float64)[:, None, None]
        return (y.astype(np.float64) - shortcut - channels(self.offset)) / channels(self.factor)


@dataclass(frozen=True)
class Network:
    """An ONNX file, the same with more outputs, its binary layers, and images of which no sign hangs on a rounding."""

    path: Path
    tapped: Path
    layers: tuple[BinaryLayer, ...]
    images: tuple[np.ndarray, ...]


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Callable[[str], Network]:
    """The network of a name; random weights, and random statistics of batch norm."""
    torch = pytest.importorskip("torch", reason="the networks are made with torch; pip install torch")
    from b2nn_tvm.export.export_onnx import export_onnx
    from b2nn_tvm.mixbin.conversion.convert import convert
    from b2nn_tvm.mixbin.network.layers import trace
    from b2nn_tvm.models import bireal18, cresnet20

    @cache
    def make(name: str) -> Network:
        torch.manual_seed(0)
        image = (3, 32, 32)
        whole = bireal18(classes=10, image_size=32, width=32) if name == "bireal18" else cresnet20(classes=10)
        eligible = trace(whole, image).eligible
        mixed = convert(whole, eligible if name == "bireal18" else eligible[::2])
        for module in mixed.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.normal_(module.running_mean, std=0.2)
                torch.nn.init.uniform_(module.running_var, 0.5, 2)
                torch.nn.init.uniform_(module.weight, 0.5, 1)
                module.weight.data[::5] *= -1
                torch.nn.init.normal_(module.bias, std=0.3)
        folder = tmp_path_factory.mktemp(name)
        path = export_onnx(mixed.eval(), folder / "net.onnx", input_shape=(1, *image))
        layers = tuple(binary_layers(onnx.load(path)))
        tapped = tap(path, layers, image)
        return Network(path, tapped, layers, tuple(safe_images(path, image)))

    return make


def binary_layers(model: onnx.ModelProto) -> Iterator[BinaryLayer]:
    """Each BinaryConv2d with the BatchNormalization and the Add behind it."""
    constants = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    readers = {name: node for node in reversed(model.graph.node) for name in node.input}
    for conv in (node for node in model.graph.node if node.op_type == "BinaryConv2d"):
        norm = readers[conv.output[0]]
        add = readers[norm.output[0]]
        assert (norm.op_type, add.op_type) == ("BatchNormalization", "Add")
        given = {each.name: onnx.helper.get_attribute_value(each) for each in conv.attribute}
        _, scale, threshold = (constants[name] for name in conv.input[1:])
        gamma, beta, mean, variance = (constants[name].astype(np.float64) for name in norm.input[1:])
        epsilon = next(each.f for each in norm.attribute if each.name == "epsilon")
        slope = gamma / np.sqrt(variance + epsilon)
        packed = reference.unpack(constants[conv.input[1]], given["channels"])
        yield BinaryLayer(
            name=conv.name,
            x=conv.input[0],
            shortcut=next(name for name in add.input if name != norm.output[0]),
            y=add.output[0],
            signs=packed.transpose(0, 3, 1, 2),
            threshold=threshold,
            options={
                "stride": tuple(given["strides"]),
                "padding": tuple(given["pads"]),
                "dilation": tuple(given["dilations"]),
                "pad_value": int(given["pad_value"]),
            },
            factor=scale * slope,
            offset=beta - mean * slope,
        )


def tap(path: Path, layers: tuple[BinaryLayer, ...], image: tuple[int, ...]) -> Path:
    """The same network that also gives the activations around its binary layers."""
    model = onnx.load(path)
    names = dict.fromkeys(name for layer in layers for name in (layer.x, layer.shortcut, layer.y))
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    onnx.save(model, path.with_name("tapped.onnx"))
    shapes = {
        name: value.shape
        for name, value in Oracle(path.with_name("tapped.onnx")).run({"input": np.zeros((1, *image), "f4")}).items()
    }
    del model.graph.output[1:]
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shapes[name]) for name in names
    )
    onnx.save(model, path.with_name("tapped.onnx"))
    return path.with_name("tapped.onnx")


def safe_images(path: Path, image: tuple[int, ...]) -> Iterator[np.ndarray]:
    oracle, rng, found = Oracle(path), np.random.default_rng(1), 0
    while found < IMAGES:
        drawn = rng.standard_normal((1, *image)).astype(np.float32)
        if oracle.closest_tie({"input": drawn}) > TIE:
            found += 1
            yield drawn


@pytest.fixture(scope="module")
def bundle(network, tmp_path_factory) -> Callable[[str, str], Path]:
    """The bundle of a network for a target, built when it is first asked for."""

    @cache
    def build(name: str, target: str) -> Path:
        folder = tmp_path_factory.mktemp("bundles") / f"{name}-{target}"
        compile_model(network(name).tapped, target=target, output=folder, verify=False).close()
        write_bundle(folder)
        return folder

    return build


@pytest.mark.parametrize(
    ("name", "target", "cpu"),
    [
        pytest.param(name, *board, marks=() if (name, board[0]) in FIRST else pytest.mark.sweep)
        for name in BINARY_LAYERS
        for board in BOARDS
    ],
)
def test_binary_layers_are_exact_and_logits_are_those_of_onnxruntime(run_emulated, network, bundle, name, target, cpu):
    made, folder = network(name), bundle(name, target)
    rows = {row.name: row.precision for row in load(folder).layers if row.op == "conv2d"}
    assert {row for row, precision in rows.items() if precision == "binary"} == {layer.name for layer in made.layers}
    assert len(made.layers) == BINARY_LAYERS[name]
    oracle = Oracle(made.path)
    for image in made.images:
        results = run_emulated(folder, {"input": image}, cpu=cpu, threads=2)
        for layer in made.layers:
            expected = layer.integers(results[layer.x])
            found = layer.found(results[layer.shortcut], results[layer.y])
            np.testing.assert_array_equal(np.rint(found), expected, err_msg=layer.name)
            assert np.abs(found - expected).max() < 0.05, layer.name  # so that rounding decides nothing
        theirs = oracle.run({"input": image})
        assert relative_difference({"output": results["output"]}, theirs) <= TOLERANCE
        assert results["output"].argmax() == theirs["output"].argmax()


@pytest.mark.sweep
def test_packed_weights_take_a_32nd_of_float_weights(run_emulated, network, tmp_path):
    """b2nn-compile --bundle as a user calls it, and what it says of the bytes."""
    made, folder = network("bireal18"), tmp_path / "net"
    done = CliRunner().invoke(main, [str(made.path), "--target", "arm", "--bundle", "-o", str(folder)])
    assert done.exit_code == 0, done.output
    files = {path.name: path.stat().st_size for path in folder.iterdir()}
    for name, size_bytes in files.items():
        assert any(line.split()[:2] == [name, str(size_bytes)] for line in done.stdout.splitlines()), name
    assert f"{folder}: {sum(files.values())} bytes, for a Linux system for aarch64" in done.stdout
    artifact = load(folder)
    assert f"library and b2nn-run are built with {artifact.manifest.build.compiler}" in done.stdout
    as_float = sum(4 * layer.signs.size for layer in made.layers)
    assert artifact.manifest.sizes.packed_weights * 32 == as_float
    assert files["libb2nn_model.so"] < as_float / 10
    (result,) = run_emulated(folder, {"input": made.images[0]}, cpu="cortex-a53").values()
    assert relative_difference({"output": result}, Oracle(made.path).run({"input": made.images[0]})) <= TOLERANCE
    assert os.access(folder / "b2nn-run", os.X_OK)
