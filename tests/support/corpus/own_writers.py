"""Graphs in the form that other tools write, by hand: python -m tests.support.corpus.own_writers

The expected values are computed in numpy from the meaning of each form, not by the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from tests.support.corpus.write_file import store

RNG = np.random.default_rng(5)
QONNX, FINN, FINN_OLD = "qonnx.custom_op.general", "finn.custom_op.general", "finn"
BREVITAS, OPENVINO, LAST = "onnx.brevitas", "org.openvinotoolkit", "qonnx.custom_op.channels_last"
INS, OUT = 16, 8


def signs(*shape: int) -> np.ndarray:
    return np.where(RNG.integers(0, 2, shape) > 0, 1, -1).astype(np.float32)


def quarters(*shape: int) -> np.ndarray:
    """Few different values, so that the file compresses; none is 0."""
    return ((RNG.integers(-4, 4, shape) + 0.5) / 4).astype(np.float32)


def positive(*shape: int) -> np.ndarray:
    return (RNG.integers(1, 9, shape) / 8).astype(np.float32)


def convolve(x: np.ndarray, w: np.ndarray, *, padding: int = 1, stride: int = 1, groups: int = 1) -> np.ndarray:
    function = torch.nn.functional.conv2d if x.ndim == 4 else torch.nn.functional.conv1d
    tensors = (torch.from_numpy(np.ascontiguousarray(v, np.float32)) for v in (x, w))
    return function(*tensors, padding=padding, stride=stride, groups=groups).numpy()


def sign(x: np.ndarray) -> np.ndarray:
    return np.where(x >= 0, 1, -1).astype(np.float32)


def node(op: str, inputs: str, output: str, domain: str = "", **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op, inputs.split(), [output], domain=domain, **attributes)


def write(
    name: str,
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    run: Callable[[np.ndarray], np.ndarray],
    *,
    shape: tuple[int, ...] = (1, INS, 6, 6),
    opset: int = 13,
) -> None:
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        tensors,
    )
    domains = sorted({n.domain for n in nodes} - {""})
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    )
    model.ir_version = {9: 4, 11: 6, 13: 7, 18: 8}[opset]
    store(f"own_{name}", model, run)


CONV = node("Conv", "s b", "y", pads=[1, 1, 1, 1])
ONE = {"one": np.float32(1)}
QUANT = {"one": np.float32(1), "zero": np.float32(0), "bits": np.float32(1)}


def bipolar() -> None:
    w = quarters(OUT, INS, 3, 3)
    expected = lambda x: convolve(sign(x), sign(w))
    for opset in (9, 11, 13):
        for domain, word in ((BREVITAS, "brevitas_domain"), (QONNX, "qonnx_domain")):
            nodes = [node("BipolarQuant", "x one", "s", domain), node("BipolarQuant", "w one", "b", domain), CONV]
            write(f"bipolar_{word}_{opset}", nodes, {**ONE, "w": w}, expected, opset=opset)
    scale = positive(OUT, 1, 1, 1)
    nodes = [node("BipolarQuant", "x half", "s", QONNX), node("BipolarQuant", "w scale", "b", QONNX), CONV]
    run = lambda x: convolve(0.5 * sign(x), scale * sign(w))
    write("bipolar_scaled", nodes, {"half": np.float32(0.5), "scale": scale, "w": w}, run)
    dense = quarters(32, 10)
    nodes = [
        node("BipolarQuant", "x half", "s", QONNX),
        node("BipolarQuant", "w one", "b", QONNX),
        node("MatMul", "s b", "y"),
    ]
    run = lambda x: 0.5 * sign(x) @ sign(dense)
    write("bipolar_dense", nodes, {"half": np.float32(0.5), **ONE, "w": dense}, run, shape=(3, 32))


def quant() -> None:
    w = quarters(OUT, INS, 3, 3)
    for op in ("Quant", "IntQuant"):
        attributes = {"signed": 1, "narrow": 1, "rounding_mode": "ROUND"}
        nodes = [
            node(op, "x one zero bits", "s", QONNX, **attributes),
            node(op, "w one zero bits", "b", QONNX, **attributes),
            CONV,
        ]
        write(f"{op.lower()}_1_bit", nodes, {**QUANT, "w": w}, lambda x: convolve(sign(x), sign(w)), opset=11)
    scale = positive(1, 1, 1, 1) * 3
    nodes = [
        node("Quant", "x scale zero bits", "s", QONNX, signed=1, narrow=0),
        node("BipolarQuant", "w one", "b", QONNX),
        CONV,
    ]
    run = lambda x: convolve(scale * sign(x), sign(w))
    write("quant_1_bit_scaled", nodes, {**QUANT, "scale": scale, "w": w}, run)
    nodes = [
        node("Quant", "x one zero bits", "s", QONNX, signed=0, narrow=0),
        node("BipolarQuant", "w one", "b", QONNX),
        CONV,
    ]
    run = lambda x: convolve((x > 0.5).astype(np.float32), sign(w))
    write("quant_1_bit_unsigned", nodes, {**QUANT, "w": w}, run)
    two = {**QUANT, "two": np.float32(2), "four": np.float32(4)}
    nodes = [
        node("Quant", "x one zero two", "s", QONNX, signed=0, narrow=0),
        node("BipolarQuant", "w one", "b", QONNX),
        CONV,
    ]
    write("quant_w1a2", nodes, {**two, "w": w}, lambda x: convolve(np.round(np.clip(x, 0, 3)), sign(w)))
    nodes = [
        node("BipolarQuant", "x one", "s", QONNX),
        node("Quant", "w half zero two", "b", QONNX, signed=1, narrow=1),
        CONV,
    ]
    ternary = 0.5 * np.round(np.clip(w / 0.5, -1, 1))
    write("quant_ternary", nodes, {**two, "half": np.float32(0.5), "w": w}, lambda x: convolve(sign(x), ternary))
    nodes = [
        node("BipolarQuant", "x one", "s", QONNX),
        node("AveragePool", "s", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Trunc", "p quarter zero four two", "t", QONNX, rounding_mode="FLOOR"),
        node("BipolarQuant", "t one", "s2", QONNX),
        node("Conv", "s2 b", "y"),
    ]
    b = signs(OUT, INS, 3, 3)

    def truncated(x: np.ndarray) -> np.ndarray:
        pooled = sign(x).reshape(1, INS, 3, 2, 3, 2).mean(axis=(3, 5))
        return convolve(sign(np.floor(np.round(pooled * 4) / 4) / 4), b, padding=0)

    write("trunc", nodes, {**two, "quarter": np.float32(0.25), "b": b}, truncated)


def thresholds() -> None:
    b = signs(OUT, INS, 3, 3)
    bipolar_out = {"out_dtype": "BIPOLAR", "out_scale": 2.0, "out_bias": -1.0}
    zero, each = np.zeros((1, 1), np.float32), quarters(INS, 1)
    at_least = lambda x, t: np.where(x >= t.reshape(1, -1, 1, 1), 1, -1).astype(np.float32)
    for domain, word in ((QONNX, "qonnx"), (FINN, "finn"), (FINN_OLD, "finn_old")):
        nodes = [node("MultiThreshold", "x t", "s", domain, **bipolar_out), CONV]
        write(f"threshold_{word}", nodes, {"t": each, "b": b}, lambda x: convolve(at_least(x, each), b), opset=9)
    nodes = [node("MultiThreshold", "x t", "s", QONNX, **bipolar_out), CONV]
    write("threshold_scalar", nodes, {"t": zero, "b": b}, lambda x: convolve(sign(x), b))
    last = [
        node("MultiThreshold", "x t", "n", QONNX, data_layout="NHWC", **bipolar_out),
        node("Transpose", "n", "s", perm=[0, 3, 1, 2]),
        node("Conv", "s b", "c", pads=[1, 1, 1, 1]),
        node("Transpose", "c", "y", perm=[0, 2, 3, 1]),
    ]
    turned = lambda x: x.transpose(0, 3, 1, 2)
    run = lambda x: convolve(at_least(turned(x), each), b).transpose(0, 2, 3, 1)
    write("threshold_nhwc", last, {"t": each, "b": b}, run, shape=(1, 6, 6, INS))
    nodes = [node("MultiThreshold", "x t", "s", QONNX, out_dtype="BINARY"), CONV]
    write("threshold_0_1", nodes, {"t": each, "b": b}, lambda x: convolve((at_least(x, each) + 1) / 2, b))
    for steps in (3, 20):
        several = np.sort(quarters(INS, steps), axis=1)
        nodes = [node("MultiThreshold", "x t", "s", QONNX, out_dtype="UINT8"), CONV]
        count = lambda x, several=several: (x[..., None] >= several.reshape(1, INS, 1, 1, -1)).sum(axis=-1)
        write(f"thresholds_{steps}", nodes, {"t": several, "b": b}, lambda x, count=count: convolve(count(x), b))
    dense, rows = signs(32, 10), quarters(32, 1)
    nodes = [node("MultiThreshold", "x t", "s", QONNX, **bipolar_out), node("MatMul", "s b", "y")]
    run = lambda x: np.where(x >= rows[:, 0], 1, -1).astype(np.float32) @ dense
    write("threshold_dense", nodes, {"t": rows, "b": dense}, run, shape=(3, 32))
    nodes = [
        node("MatMul", "x b", "m"),
        node("MultiThreshold", "m t", "s", FINN, **bipolar_out),
        node("MatMul", "s b2", "y"),
    ]
    first, second, limits = signs(32, 16), signs(16, 10), (quarters(16, 1) * 8).round() + 0.25
    run = lambda x: np.where(sign(x) @ first >= limits[:, 0], 1, -1).astype(np.float32) @ second
    both = [node("MultiThreshold", "x t0", "sx", FINN, **bipolar_out), *nodes]
    both[1].input[0] = "sx"
    write("threshold_dense_finn", both, {"t0": zero, "t": limits, "b": first, "b2": second}, run, shape=(3, 32))


def channels_last() -> None:
    b = signs(OUT, INS, 3, 3)
    nodes = [
        node("BipolarQuant", "x one", "s", QONNX),
        node(
            "Conv", "s b", "c", LAST, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1], dilations=[1, 1], group=1
        ),
        node("MaxPool", "c", "y", LAST, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0]),
    ]

    def run(x: np.ndarray) -> np.ndarray:
        y = convolve(sign(x.transpose(0, 3, 1, 2)), b)
        return y.reshape(1, OUT, 3, 2, 3, 2).max(axis=(3, 5)).transpose(0, 2, 3, 1)

    write("channels_last", nodes, {**ONE, "b": b.transpose(0, 2, 3, 1).copy()}, run, shape=(1, 6, 6, INS))
    nodes = [
        node("MultiThreshold", "x t", "s", FINN, data_layout="NHWC", out_scale=2.0, out_bias=-1.0, out_dtype="BIPOLAR"),
        node("MaxPoolNHWC", "s", "p", FINN, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0]),
        node("Transpose", "p", "q", perm=[0, 3, 1, 2]),
        node("Conv", "q b", "y"),
    ]

    def pooled(x: np.ndarray) -> np.ndarray:
        s = sign(x.transpose(0, 3, 1, 2)).reshape(1, INS, 3, 2, 3, 2).max(axis=(3, 5))
        return convolve(s, b, padding=0)

    write("max_pool_nhwc", nodes, {"t": np.zeros((1, 1), np.float32), "b": b}, pooled, shape=(1, 6, 6, INS))


def openvino() -> None:
    w, limit, scale = quarters(OUT, INS, 3, 3), quarters(1, INS, 1, 1), positive(OUT, 1, 1, 1)
    names = {"il": limit, "lo": np.float32(-1), "hi": np.float32(1), "zero": np.float32(0), "neg": -scale, "pos": scale}
    nodes = [
        node("FakeQuantize", "x il il lo hi", "s", OPENVINO, levels=2),
        node("FakeQuantize", "w zero zero neg pos", "b", OPENVINO, levels=2),
        CONV,
    ]
    run = lambda x: convolve(np.where(x > limit, 1, -1), scale * np.where(w > 0, 1, -1))
    write("fake_quantize_binary", nodes, {**names, "w": w}, run)
    nodes = [node("FakeQuantize", "x lo hi lo hi", "s", OPENVINO, levels=2), CONV]
    b = signs(OUT, INS, 3, 3)
    write("fake_quantize_interval", nodes, {**names, "b": b}, lambda x: convolve(np.where(x > 0, 1, -1), b))
    nodes = [node("FakeQuantize", "x lo hi lo hi", "s", OPENVINO, levels=16), CONV]
    steps = lambda x: np.round((np.clip(x, -1, 1).astype(np.float32) + 1) / np.float32(2) * 15) / 15 * 2 - 1
    write("fake_quantize_16", nodes, {**names, "b": b}, lambda x: convolve(steps(x), b))


STEP = [node("GreaterOrEqual", "x zero", "g"), node("Where", "g one minus", "s")]
PM = {"zero": np.float32(0), "one": np.float32(1), "minus": np.float32(-1)}


def weights() -> None:
    s, scale, shift = signs(OUT, INS, 3, 3), positive(OUT, 1, 1, 1), quarters(OUT, 1, 1, 1)
    ternary = scale * RNG.integers(-1, 2, (OUT, INS, 3, 3)).astype(np.float32)
    for name, w in {"two_values": scale * s + shift, "ternary": ternary, "scaled": scale * s}.items():
        write(f"weights_{name}", [*STEP, CONV], {**PM, "b": w}, lambda x, w=w: convolve(sign(x), w))
    for groups, inputs, outputs in ((2, 64, 32), (3, 96, 24), (2, 40, 40), (4, 64, 64)):
        w = signs(outputs, inputs // groups, 3, 3)
        conv = node("Conv", "s b", "y", pads=[1, 1, 1, 1], group=groups)
        run = lambda x, w=w, groups=groups: convolve(sign(x), w, groups=groups)
        write(f"groups_{groups}_of_{inputs}", [*STEP, conv], {**PM, "b": w}, run, shape=(1, inputs, 5, 5))
    w = signs(16, 1, 3, 3)
    conv = node("Conv", "s b", "y", pads=[1, 1, 1, 1], group=16)
    write("depthwise", [*STEP, conv], {**PM, "b": w}, lambda x: convolve(sign(x), w, groups=16))
    latent = quarters(OUT, INS, 3, 3)
    computed = [
        node("ReduceMean", "w", "mean", axes=[1, 2, 3], keepdims=1),
        node("Sub", "w mean", "centred"),
        node("GreaterOrEqual", "centred zero", "gw"),
        node("Where", "gw one minus", "sw"),
        node("Abs", "centred", "magnitudes"),
        node("ReduceMean", "magnitudes", "alpha", axes=[1, 2, 3], keepdims=1),
        node("Log", "alpha", "log"),
        node("Div", "log ln2", "log2"),
        node("Round", "log2", "exponent"),
        node("Pow", "base exponent", "power"),
        node("Mul", "sw power", "b"),
    ]
    centred = latent - latent.mean(axis=(1, 2, 3), keepdims=True)
    power = 2.0 ** np.round(np.log2(np.abs(centred).mean(axis=(1, 2, 3), keepdims=True)))
    constants = {**PM, "w": latent, "ln2": np.float32(np.log(2)), "base": np.float32(2)}
    write("weights_computed", [*STEP, *computed, CONV], constants, lambda x: convolve(sign(x), power * sign(centred)))
    w, bias = signs(OUT, INS, 5), quarters(OUT)
    conv = node("Conv", "s b bias", "y", pads=[2, 2], strides=[2])
    run = lambda x: convolve(sign(x), w, padding=2, stride=2) + bias[:, None]
    write("conv1d", [*STEP, conv], {**PM, "b": w, "bias": bias}, run, shape=(2, INS, 20))


def dense() -> None:
    w, bias = signs(32, 10), quarters(10)
    forms = {
        "gemm": (
            [node("Gemm", "s b c", "y", transB=1, alpha=0.5, beta=2.0)],
            {"b": w.T.copy(), "c": bias},
            lambda s: 0.5 * s @ w + 2 * bias,
        ),
        "scaled_inputs": (
            [node("Mul", "s k", "t"), node("MatMul", "t b", "y")],
            {"k": np.float32(0.25), "b": w},
            lambda s: 0.25 * s @ w,
        ),
        "per_output": ([node("MatMul", "s b", "y")], {"b": w * positive(1, 10)}, None),
        "ternary": ([node("MatMul", "s b", "y")], {"b": RNG.integers(-1, 2, (32, 10)).astype(np.float32)}, None),
        "two_values": ([node("MatMul", "s b", "y")], {"b": w * positive(1, 10) + quarters(1, 10)}, None),
        "zero_one": (
            [node("Add", "s one", "a"), node("Mul", "a half", "t"), node("MatMul", "t b", "y")],
            {"half": np.float32(0.5), "b": w},
            lambda s: (s + 1) / 2 @ w,
        ),
        "per_input": ([node("MatMul", "s b", "y")], {"b": w * positive(32, 1)}, None),
    }
    for name, (nodes, constants, run) in forms.items():
        expected = run or (lambda s, b=constants["b"]: s @ b)
        write(
            f"dense_{name}",
            [*STEP, *nodes],
            {**PM, **constants},
            lambda x, expected=expected: expected(sign(x)),
            shape=(4, 32),
        )
    nodes = [*STEP, node("MatMul", "s b", "y")]
    write("dense_tokens", nodes, {**PM, "b": w}, lambda x: sign(x) @ w, shape=(2, 5, 32))
    nodes = [*STEP, node("MatMul", "b s", "y")]
    write("dense_columns", nodes, {**PM, "b": w.T.copy()}, lambda x: w.T @ sign(x), shape=(32, 3))
    image_weights = signs(INS * 9, 10)
    nodes = [*STEP, node("Flatten", "s", "f"), node("Gemm", "f b", "y")]
    run = lambda x: sign(x).reshape(1, -1) @ image_weights
    write("dense_flat", nodes, {**PM, "b": image_weights}, run, shape=(1, INS, 3, 3))


def larq() -> None:
    """Channels-last tensors of TensorFlow between transposes, SAME padding, signs that ONNX writes as comparisons."""
    w, gamma, beta = signs(OUT, INS, 3, 3), quarters(OUT), quarters(OUT)
    nodes = [
        node("Transpose", "x", "t", perm=[0, 3, 1, 2]),
        node("GreaterOrEqual", "t zero", "g"),
        node("Where", "g one minus", "s"),
        node("Conv", "s b", "c", auto_pad="SAME_UPPER", strides=[2, 2]),
        node("Transpose", "c", "n", perm=[0, 2, 3, 1]),
        node("Mul", "n gamma", "m"),
        node("Add", "m beta", "y"),
    ]

    def run(x: np.ndarray) -> np.ndarray:
        s = np.pad(sign(x.transpose(0, 3, 1, 2)), ((0, 0), (0, 0), (0, 1), (0, 1)))
        return convolve(s, w, padding=0, stride=2).transpose(0, 2, 3, 1) * gamma + beta

    write("larq_transposes", nodes, {**PM, "b": w, "gamma": gamma, "beta": beta}, run, shape=(1, 6, 6, INS))


def main() -> None:
    for group in (bipolar, quant, thresholds, channels_last, openvino, weights, dense, larq):
        group()


if __name__ == "__main__":
    main()
