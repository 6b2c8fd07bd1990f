"""Networks with one fault each, such as a compiler might make, beside the right ones.

A fault changes the file: one sign of a binary weight, a padding by one row, a threshold by one count, a scale by 1 %,
and so on. The library that is compiled of it then stands for one that was compiled wrongly of the right file.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import numpy_helper

from tests.support.networks.onnx_networks import Network

Rng = np.random.Generator
CHANNELS, DEPTH = 16, 12


def _norm(x: str, y: str, name: str) -> str:
    return f" {y} = BatchNormalization ({x}, {name}g, {name}b, {name}m, {name}v)"


def _sign(x: str, y: str) -> str:
    return f" {y}p = GreaterOrEqual ({x}, zero) {y} = Where ({y}p, one, minus)"


def _binary(x: str, y: str, name: str) -> str:
    return f" {y}s = Conv <pads = [1, 1, 1, 1]> ({x}, {name}) {y} = Mul ({y}s, {name}a)"


_NODES = {
    "binary": (
        "c = Conv <pads = [1, 1, 1, 1]> (input, w)" + _norm("c", "n", "k") + _sign("n", "s")
        + _binary("s", "d", "u") + _norm("d", "e", "l") + _sign("e", "t") + _binary("t", "f", "v")
        + _norm("f", "h", "o") + " r = Relu (h) q = GlobalAveragePool (r) g = Flatten (q) output = Gemm (g, x)"
    ),
    "residual": (
        "c = Conv <pads = [1, 1, 1, 1]> (input, w)" + _norm("c", "n", "k") + _sign("n", "s") + _binary("s", "d", "u")
        + _norm("d", "e", "l") + " z = Add (e, n)" + _sign("z", "t") + _binary("t", "f", "v") + _norm("f", "h", "o")
        + " j = Add (h, z) r = PRelu (j, slope) output = Conv (r, p)"
    ),
    "float": (
        "c = Conv <pads = [1, 1, 1, 1]> (input, w)" + _norm("c", "n", "k") + " s = Relu (n)"
        + ' i = Resize <mode = "linear", coordinate_transformation_mode = "half_pixel"> (s, , scales)'
        + " d = Conv <pads = [1, 1, 1, 1]> (i, y)" + _norm("d", "e", "l") + " r = Relu (e) output = Conv (r, p)"
    ),
    "deep": (
        "c0 = Conv <pads = [1, 1, 1, 1]> (input, w)" + _norm("c0", "n0", "k")
        + "".join(
            f" a{i} = Relu (n{i - 1}) c{i} = Conv <pads = [1, 1, 1, 1]> (a{i}, y{i})" + _norm(f"c{i}", f"n{i}", "l")
            for i in range(1, DEPTH)
        )
        + _sign(f"n{DEPTH - 1}", "s") + _binary("s", "d", "u") + _norm("d", "e", "o")
        + f" output = Concat <axis = 1> (n{DEPTH - 1}, e)"
    ),
}  # fmt: skip


def network(kind: str, seed: int) -> onnx.ModelProto:
    """The right network of this kind, one of NETWORKS or DEEP, with weights and statistics as of a trained one."""
    rng = np.random.default_rng([seed, len(kind)])
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    constants = {
        "w": normal(CHANNELS, 4, 3, 3) / 6,
        "y": normal(CHANNELS, CHANNELS, 3, 3) / 12,
        "x": normal(CHANNELS, 10),
        "p": normal(8, CHANNELS, 1, 1) / 4,
        "slope": np.abs(normal(CHANNELS, 1, 1)) / 4,
        "zero": np.float32(0),
        "one": np.float32(1),
        "minus": np.float32(-1),
        "scales": np.float32([1, 1, 2, 2]),
    }
    for i in range(1, DEPTH):
        constants[f"y{i}"] = normal(CHANNELS, CHANNELS, 3, 3) / 8
    for name in "uv":
        constants[name] = np.where(normal(CHANNELS, CHANNELS, 3, 3) < 0, np.float32(-1), np.float32(1))
        constants[f"{name}a"] = np.abs(normal(CHANNELS, 1, 1)) / 12 + np.float32(0.02)
    for name, spread in (("k", 1.0), ("l", 0.6), ("o", 0.6)):
        constants |= {f"{name}g": 1 + normal(CHANNELS) / 4, f"{name}b": normal(CHANNELS) / 4}
        constants |= {f"{name}m": normal(CHANNELS) / 4, f"{name}v": spread * np.exp(normal(CHANNELS) / 2)}
    outputs = "float[N,C] output" if kind == "binary" else "float[N,C,H,W] output"
    model = Network(_NODES[kind], constants, "float[1,4,9,9] input", outputs=outputs).build()
    read = {name for node in model.graph.node for name in node.input}
    for index in reversed(range(len(model.graph.initializer))):
        if model.graph.initializer[index].name not in read:
            del model.graph.initializer[index]
    return model


NETWORKS = ("binary", "residual", "float")
DEEP = "deep"  # a dozen float convolutions in front of a sign; it has no faults


def _changed(model: onnx.ModelProto, name: str, change: Callable[[np.ndarray], None]) -> bool:
    for tensor in model.graph.initializer:
        if tensor.name == name:
            value = numpy_helper.to_array(tensor).copy()
            change(value)
            tensor.CopyFrom(numpy_helper.from_array(value, name))
            return True
    return False


def _flip_a_sign(model: onnx.ModelProto, rng: Rng) -> bool:
    def change(value: np.ndarray) -> None:
        value.flat[rng.integers(value.size)] *= -1

    return _changed(model, str(rng.choice(["u", "v"])), change)


def _double_a_weight(model: onnx.ModelProto, rng: Rng) -> bool:
    """The lowest bit of an exponent."""

    def change(value: np.ndarray) -> None:
        bits = value.view(np.int32)
        bits.flat[rng.integers(value.size)] ^= 1 << 23

    return _changed(model, str(rng.choice(["w", "p"] if _has(model, "p") else ["w", "x"])), change)


def _pad_one_row_more(model: onnx.ModelProto, rng: Rng) -> bool:
    convs = [node for node in model.graph.node if any(each.name == "pads" for each in node.attribute)]
    node = convs[int(rng.integers(len(convs)))]
    (pads,) = (each for each in node.attribute if each.name == "pads")
    pads.ints[:] = [2, 1, 0, 1] if rng.integers(2) else [1, 0, 1, 2]
    return True


def _move_a_threshold(model: onnx.ModelProto, rng: Rng) -> bool:
    """The mean of the batch norm behind a binary layer, by one more product: sums of signs change by 2."""
    if not _has(model, "u"):
        return False
    channel, scales = int(rng.integers(CHANNELS)), numpy_helper.to_array(_tensor(model, "ua")).ravel()

    def change(value: np.ndarray) -> None:
        value[channel] += 2 * scales[channel]

    return _changed(model, "lm", change)


def _scale_a_channel(model: onnx.ModelProto, rng: Rng) -> bool:
    def change(value: np.ndarray) -> None:
        value[int(rng.integers(CHANNELS))] *= np.float32(1.01)

    return _changed(model, "va", change) or _changed(model, "lg", change)


def _swap_channels(model: onnx.ModelProto, rng: Rng) -> bool:
    def change(value: np.ndarray) -> None:
        first, second = rng.choice(CHANNELS, 2, replace=False)
        value[[first, second]] = value[[second, first]]

    return _changed(model, str(rng.choice([name for name in "wuvy" if _has(model, name)])), change)


def _align_corners(model: onnx.ModelProto, rng: Rng) -> bool:
    for node in model.graph.node:
        for each in node.attribute:
            if each.name == "coordinate_transformation_mode":
                each.s = b"align_corners"
                return True
    return False


def _enlarge_epsilon(model: onnx.ModelProto, rng: Rng) -> bool:
    """1e-4 in place of 1e-5, of one batch norm."""
    norms = [node for node in model.graph.node if node.op_type == "BatchNormalization"]
    norms[int(rng.integers(len(norms)))].attribute.append(onnx.helper.make_attribute("epsilon", 1e-4))
    return True


def _tensor(model: onnx.ModelProto, name: str) -> onnx.TensorProto:
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def _has(model: onnx.ModelProto, name: str) -> bool:
    return any(tensor.name == name for tensor in model.graph.initializer)


FAULTS: dict[str, Callable[[onnx.ModelProto, Rng], bool]] = {
    "a sign of a binary weight": _flip_a_sign,
    "a bit of a float weight": _double_a_weight,
    "a padding by one row": _pad_one_row_more,
    "a threshold by one count": _move_a_threshold,
    "a scale by 1 %": _scale_a_channel,
    "two channels swapped": _swap_channels,
    "align_corners": _align_corners,
    "epsilon by 10 times": _enlarge_epsilon,
}


def faulty(kind: str, fault: str, seed: int) -> onnx.ModelProto | None:
    """The same network with this fault, a word of FAULTS; None where it has no place for it."""
    model = network(kind, seed)
    return model if FAULTS[fault](model, np.random.default_rng([seed, *fault.encode()])) else None
