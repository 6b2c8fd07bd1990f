"""Drawn networks of layers of a few bits, in the spellings of several tools, and the sums of whole numbers that
reference/bitserial.py says that they compute.

A network is many layers side by side, each with an input and an output of its own, so that one compilation serves many
cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm.reference.bitserial import bitserial_conv2d, bitserial_dense

MOVES = ("max pool", "shuffle", "halves", "no move")  # between the quantizer and a convolution
QUANTIZERS = ("qdq", "narrow", "signed", "round", "thresholds", "batch norm", "relu")
_CHANNELS = (3, 8, 16, 31, 32, 33, 64, 65)
_QONNX = "qonnx.custom_op.general"


@dataclass(frozen=True, eq=False)
class Case:
    """A layer ``y = unit * sums``: its nodes, its constants, its input and the sums [N, O, ...] that are right."""

    name: str
    precision: str
    nodes: tuple[onnx.NodeProto, ...]
    constants: dict[str, np.ndarray]
    x: np.ndarray
    sums: np.ndarray
    unit: np.ndarray


def bitserial_model(cases: tuple[Case, ...]) -> onnx.ModelProto:
    """The network of these cases; the input of case i is x{i}, its output y{i}."""
    floats = TensorProto.FLOAT
    graph = helper.make_graph(
        [node for case in cases for node in case.nodes],
        "bitserial",
        [helper.make_tensor_value_info(f"x{i}", floats, case.x.shape) for i, case in enumerate(cases)],
        [helper.make_tensor_value_info(f"y{i}", floats, case.sums.shape) for i, case in enumerate(cases)],
        [numpy_helper.from_array(value, name) for case in cases for name, value in case.constants.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(_QONNX, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def assert_exact(cases: tuple[Case, ...], outputs: dict[str, np.ndarray]) -> None:
    """Each output is its unit times the whole numbers that the definition gives: none of them is off by one."""
    for i, case in enumerate(cases):
        with np.errstate(all="raise"):
            found = outputs[f"y{i}"].astype(np.float64) / case.unit
        np.testing.assert_array_equal(np.rint(found), case.sums, err_msg=case.name)
        assert np.abs(found - case.sums).max() < 1e-2, case.name


@cache
def drawn_cases(seed: int, count: int) -> tuple[Case, ...]:
    """Cases of all quantizers in turn, of any bits, shapes and windows."""
    turns = [QUANTIZERS[(seed + i) % len(QUANTIZERS)] for i in range(count)]
    return tuple(_case(np.random.default_rng([seed, i]), i, quantizer) for i, quantizer in enumerate(turns))


def _case(rng: np.random.Generator, index: int, quantizer: str) -> Case:
    activation_bits, weight_bits = _bits(rng)
    most = 2**activation_bits - 1
    groups = int(rng.choice((1, 1, 1, 2)))
    channels = int(rng.choice((32, 64) if groups > 1 else _CHANNELS))
    outputs = int(rng.choice(_CHANNELS)) * groups
    dense = groups == 1 and rng.random() < 0.25
    zero = 2 ** (activation_bits - 1) if quantizer == "signed" else 0
    kernel = tuple(int(rng.integers(1, 4)) for _ in range(2))
    weight_shape = (outputs, channels // groups, *(() if dense else kernel))
    weight = _weights(rng, weight_bits, weight_shape)
    size = () if dense else tuple(map(int, rng.integers(5, 9, 2)))
    shape = (int(rng.integers(1, 4)), channels, *size)
    step = np.float32(rng.choice((0.5, 0.37, 1 / most)))
    step = {"round": np.float32(1) / np.float32(most), "batch norm": np.float32(0.5)}.get(quantizer, step)
    builder = _Builder(index)
    x, codes = builder.quantized(quantizer, shape, activation_bits, zero, step, rng)
    scale = rng.choice(np.array([0.25, 0.11, -0.3], np.float32), outputs)
    bits = {"activation_bits": activation_bits, "weight_bits": weight_bits}
    unit = scale.astype(np.float64) * np.float64(step)
    if dense:
        builder.weights(weight.T.copy(), scale, axis=1)
        builder.add("MatMul", ["values", "weight"], "y")
        sums = bitserial_dense(codes, weight, **bits) - zero * weight.sum(axis=1)
        name = f"{quantizer} dense w{weight_bits}a{activation_bits} {shape}x{outputs}"
    else:
        move = MOVES[index % len(MOVES)]
        moved, codes = builder.moved(move, codes)
        window = {
            "stride": tuple(map(int, rng.integers(1, 3, 2))),
            "padding": tuple(map(int, rng.integers(0, 3, 4))),
            "dilation": tuple(map(int, rng.integers(1, 3, 2))),
        }
        builder.weights(weight, scale, axis=0)
        builder.add(
            "Conv",
            [moved, "weight"],
            "y",
            strides=window["stride"],
            pads=window["padding"],
            dilations=window["dilation"],
            group=groups,
            kernel_shape=kernel,
        )
        sums = bitserial_conv2d(codes, weight, groups=groups, pad_code=zero, **window, **bits)
        sums = sums - zero * weight.reshape(outputs, -1).sum(axis=1)[:, None, None]
        unit = unit[:, None, None]
        name = f"{quantizer} conv w{weight_bits}a{activation_bits} {shape}x{outputs} {kernel} {groups} {window} {move}"
    return Case(name, f"w{weight_bits}a{activation_bits}", tuple(builder.nodes), builder.constants, x, sums, unit)


def _bits(rng: np.random.Generator) -> tuple[int, int]:
    """Bits of activations and weights; most often those that networks have."""
    usual = ((2, 1), (2, 2), (2, 1), (2, 2), (3, 1), (3, 2), (4, 1), (4, 2), (2, 3), (2, 4))
    return usual[int(rng.integers(len(usual)))]


def _weights(rng: np.random.Generator, bits: int, shape: tuple[int, ...]) -> np.ndarray:
    """Whole numbers in two's complement, both ends of which occur; +1 and -1 where there is one bit."""
    half = 2 ** (bits - 1)
    weight = rng.integers(-half, half, shape) if bits > 1 else rng.choice((-1, 1), shape)
    if bits > 1:
        flat = weight.reshape(shape[0], -1)
        flat[:, 0], flat[:, -1], flat[:, 1] = -half, half - 1, 1
    return weight


class _Builder:
    """Nodes and constants of one case, with names of its own."""

    def __init__(self, index: int):
        self._index = index
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def add(self, op: str, inputs: list[str], output: str, **attributes: object) -> None:
        domain = _QONNX if op == "MultiThreshold" else ""
        names = [f"{name}{self._index}" for name in inputs]
        self.nodes.append(helper.make_node(op, names, [f"{output}{self._index}"], domain=domain, **attributes))

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants[f"{name}{self._index}"] = np.asarray(value)
        return name

    def weights(self, whole: np.ndarray, scale: np.ndarray, *, axis: int) -> None:
        names = [self.constant("whole", whole.astype(np.int8)), self.constant("scale", scale)]
        self.add("DequantizeLinear", names, "weight", axis=axis)

    def quantized(
        self, quantizer: str, shape: tuple[int, ...], bits: int, zero: int, step: np.float32, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """An input and the codes that the quantizer makes of it; the nodes give ``values``."""
        most, channels = 2**bits - 1, (1, -1) + (1,) * (len(shape) - 2)
        x = (rng.standard_normal(shape) * 2**bits * step * 0.6).astype(np.float32)
        x.flat[:6] = (0, -0.0, 1e9, -1e9, step / 2, 1.5 * step)[: x.size]  # both zeros, saturation, ties
        if quantizer == "thresholds":
            limits = np.sort(rng.choice(np.arange(-8, 9) / 4, (shape[1], most)), axis=1).astype(np.float32)
            self.add("MultiThreshold", ["x", self.constant("limits", limits)], "steps", out_dtype=f"UINT{bits}")
            self.add("Mul", ["steps", self.constant("step", step)], "values")
            return x, (x[..., None] >= limits.reshape(shape[1], *channels[2:], most)).sum(axis=-1)
        if quantizer == "round":
            count = np.float32(most)
            self.add("Clip", ["x", self.constant("low", np.float32(0)), self.constant("high", np.float32(1))], "c")
            self.add("Mul", ["c", self.constant("count", count)], "m")
            self.add("Round", ["m"], "r")
            self.add("Div", ["r", "count"], "values")
            return x, np.rint(np.clip(x, 0, 1) * count).astype(int)
        before, y = "x", x
        if quantizer == "batch norm":
            x = (np.rint(x.clip(-99, 99) * 8) / 8).astype(np.float32)  # so that no order of the operators rounds
            gain = rng.choice(np.array([0.5, 1, 2], np.float32), shape[1]).reshape(channels)
            shift = rng.choice(np.array([0, 0.25, -0.5], np.float32), shape[1]).reshape(channels)
            self.add("Mul", ["x", self.constant("gain", gain)], "scaled")
            self.add("Add", ["scaled", self.constant("shift", shift)], "normed")
            before, y = "normed", x * gain + shift
        if quantizer == "relu":
            self.add("Relu", ["x"], "positive")
            before, y = "positive", np.maximum(x, 0)
        low, high = 0, most - (quantizer == "narrow")
        point = self.constant("zero", np.uint8(zero))
        self.add("QuantizeLinear", [before, self.constant("step", step), point], "q")
        limits = [self.constant("low", np.uint8(low)), self.constant("high", np.uint8(high))]
        self.add("Clip", ["q", *limits], "clipped")
        self.add("DequantizeLinear", ["clipped", "step", point], "values")
        return x, np.clip(np.clip(np.rint(y / step) + zero, 0, 255), low, high).astype(int)

    def moved(self, move: str, codes: np.ndarray) -> tuple[str, np.ndarray]:
        """The name of ``values`` that an operator has moved, and their codes [N, C, H, W]."""
        channels = codes.shape[1]
        if move == "max pool":
            self.add("MaxPool", ["values"], "moved", kernel_shape=(2, 2), pads=(1, 1, 0, 0))
            padded = np.pad(codes, ((0, 0), (0, 0), (1, 0), (1, 0)))
            return "moved", np.lib.stride_tricks.sliding_window_view(padded, (2, 2), axis=(2, 3)).max(axis=(4, 5))
        if move == "shuffle":
            groups = next(count for count in range(2, channels + 1) if channels % count == 0)
            apart = (len(codes), groups, channels // groups, *codes.shape[2:])
            self.add("Reshape", ["values", self.constant("apart", np.array(apart))], "groups")
            self.add("Transpose", ["groups"], "turned", perm=(0, 2, 1, 3, 4))
            self.add("Reshape", ["turned", self.constant("whole_shape", np.array(codes.shape))], "moved")
            return "moved", codes.reshape(apart).swapaxes(1, 2).reshape(codes.shape)
        if move == "halves":
            sizes = np.array([channels - channels // 2, channels // 2])
            names = ["values", self.constant("sizes", sizes)]
            inputs, outputs = ([f"{name}{self._index}" for name in part] for part in (names, ("first", "second")))
            self.nodes.append(helper.make_node("Split", inputs, outputs, axis=1))
            self.add("Concat", ["second", "first"], "moved", axis=1)
            return "moved", np.concatenate([codes[:, sizes[0] :], codes[:, : sizes[0]]], axis=1)
        return "values", codes
