"""Small networks for tests of the compiler, by the feature that each is about: the operators that users' models
have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx

from b2nn_tvm import reference
from tests.support.networks.onnx_models import BINARY_CONV2D, model

IMAGE = "float[1,4,9,7] input"
OUTPUT = "float[N,C,H,W] output"


@dataclass(frozen=True)
class Network:
    """A graph in ONNX's text form. ``constants`` gives each initializer's shape (random normal) or its value."""

    nodes: str
    constants: Mapping[str, object] = field(default_factory=dict)
    inputs: str = IMAGE
    outputs: str = OUTPUT
    opset: int = 18

    def build(self) -> onnx.ModelProto:
        values = {name: constant(name, value) for name, value in self.constants.items()}
        functions = BINARY_CONV2D if "BinaryConv2d" in self.nodes else ""
        return model(
            self.nodes, values, inputs=self.inputs, outputs=self.outputs, opset=self.opset, functions=functions
        )


def constant(name: str, value: object) -> np.ndarray:
    """A tuple is the shape of random normal values (the same for the same name), everything else is the value."""
    if not isinstance(value, tuple):
        return np.asarray(value)
    return np.random.default_rng(list(name.encode())).standard_normal(value).astype(np.float32)


def bits(name: str, *shape: int) -> np.ndarray:
    """Random binary weights [O, C, kh, kw] as b2nn.BinaryConv2d takes them."""
    return reference.pack(reference.sign(constant(name, shape)).transpose(0, 2, 3, 1))


def binary(x: str, y: str, weight: str, channels: int, *, pads: int = 1, strides: int = 1, pad_value: int = 0) -> str:
    """A node b2nn.BinaryConv2d; its constants are named weight, weight_s and weight_t."""
    return (
        f"{y} = b2nn.BinaryConv2d <kernel_shape = [3, 3], strides = [{strides}, {strides}], dilations = [1, 1], "
        f"pads = [{pads}, {pads}, {pads}, {pads}], pad_value = {pad_value}.0, channels = {channels}> "
        f"({x}, {weight}, {weight}_s, {weight}_t)"
    )


def binary_constants(weight: str, outputs: int, channels: int, *, kernel: int = 3) -> dict[str, object]:
    """Random constants of a b2nn.BinaryConv2d."""
    return {
        weight: bits(weight, outputs, channels, kernel, kernel),
        f"{weight}_s": np.abs(constant(f"{weight}_s", (outputs,))) / channels,
        f"{weight}_t": constant(f"{weight}_t", (channels,)) / 4,
    }


NETWORKS: dict[str, Network] = {
    "max pooling": Network(
        "a = Relu (input) output = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (a)"
    ),
    "max pooling, ceil mode": Network(
        "output = MaxPool <kernel_shape = [2, 3], strides = [2, 2], ceil_mode = 1> (input)"
    ),
    "average pooling": Network(
        "a = AveragePool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (input)"
        "output = AveragePool <kernel_shape = [3, 2], pads = [1, 0, 1, 1], count_include_pad = 1> (a)"
    ),
    "global pooling": Network(
        "a = GlobalAveragePool (input) b = GlobalMaxPool (input) output = Concat <axis = 1> (a, b)"
    ),
    "concat behind convolutions": Network(
        "a = Conv (input, w3, b) c = Conv (input, w1) d = Relu (c) e = Pad (d, pads) f = Concat <axis = 1> (a, e)"
        " output = Conv (f, v)",
        {"w3": (5, 4, 3, 3), "b": (5,), "w1": (3, 4, 3, 3), "pads": np.zeros(8, np.int64), "v": (6, 8, 1, 1)},
    ),
    "residual": Network(
        "a = Conv <pads = [1, 1, 1, 1]> (input, w, b) c = Relu (a) d = Conv <pads = [1, 1, 1, 1]> (c, v) e = Add (d,"
        " input) output = Relu (e)",
        {"w": (16, 4, 3, 3), "b": (16,), "v": (4, 16, 3, 3)},
    ),
    "an activation on the shortcut": Network(
        "a = Conv (input, stem) s = Relu (a) b = Conv <pads = [1, 1, 1, 1]> (a, w) c = Add (b, s) t = Clip (c, low) "
        + binary("c", "d", "u", 16)
        + "e = Add (d, t) output = Conv <pads = [1, 1, 1, 1]> (e, v) z = Sigmoid (e) y = Add (output, z)",
        {
            "stem": (16, 4, 1, 1),
            "w": (16, 16, 3, 3),
            "low": np.float32(-1),
            **binary_constants("u", 16, 16),
            "v": (16, 16, 3, 3),
        },
        outputs=f"{OUTPUT}, float[N,C,H,W] y",
    ),
    "winograd": Network(
        "a = Conv (input, stem) b = Relu (a) output = Conv <pads = [1, 1, 1, 1]> (b, w, c)",
        {"stem": (16, 3, 1, 1), "w": (20, 16, 3, 3), "c": (20,)},
        inputs="float[1,3,11,10] input",
    ),
    "depthwise": Network(
        "a = Conv <group = 6, pads = [1, 1, 1, 1], strides = [2, 2]> (input, w, b) c = Clip (a, low, high) output ="
        " Conv (c, v)",
        {"w": (6, 1, 3, 3), "b": (6,), "low": np.float32(0), "high": np.float32(6), "v": (8, 6, 1, 1)},
        inputs="float[1,6,9,7] input",
    ),
    "a gate of one channel": Network(
        "a = ReduceMean <keepdims = 1> (input, channels) b = Conv <pads = [1, 1, 1, 1]> (a, w) c = Add (b, a) d = "
        "Sigmoid (c) output = Mul (input, d)",
        {"channels": np.array([1]), "w": (1, 1, 3, 3)},
    ),
    "depthwise with a multiplier": Network(
        "output = Conv <group = 3, pads = [2, 2, 2, 2], dilations = [2, 2]> (input, w)",
        {"w": (6, 1, 3, 3)},
        inputs="float[1,3,9,7] input",
    ),
    "from one channel to one channel": Network(
        "a = Conv <pads = [2, 2, 2, 2]> (input, w, b) c = Relu (a) output = Conv (c, v)",
        {"w": (1, 1, 5, 5), "b": (1,), "v": (1, 1, 3, 3)},
        inputs="float[1,1,9,7] input",
    ),
    "grouped": Network(
        "a = Conv <group = 2, pads = [1, 0, 0, 1]> (input, w) b = Relu (a) output = Conv <group = 4> (b, v)",
        {"w": (12, 3, 3, 2), "v": (8, 3, 1, 1)},
        inputs="float[1,6,9,7] input",
    ),
    "channel shuffle": Network(
        "a = Reshape (input, split) b = Transpose <perm = [0, 2, 1, 3, 4]> (a) c = Reshape (b, join) output = Conv"
        " <group = 2> (c, w)",
        {"split": np.array([1, 2, 2, 9, 7]), "join": np.array([1, 4, 9, 7]), "w": (4, 2, 1, 1)},
    ),
    "transposed convolution": Network(
        "a = Relu (input) b = ConvTranspose <strides = [2, 2], pads = [1, 1, 1, 1], output_padding = [1, 1]> (a, w, c)"
        " output = Conv (b, v)",
        {"w": (4, 6, 3, 3), "c": (6,), "v": (3, 6, 1, 1)},
    ),
    "nearest resize": Network(
        'a = Conv (input, w) b = Resize <mode = "nearest"> (a, , scales) output = Relu (b)',
        {"w": (5, 4, 1, 1), "scales": np.array([1, 1, 2, 2], np.float32)},
    ),
    "bilinear resize": Network(
        'a = Conv (input, w) output = Resize <mode = "linear", coordinate_transformation_mode = "pytorch_half_pixel">'
        " (a, , , sizes)",
        {"w": (5, 4, 1, 1), "sizes": np.array([1, 5, 13, 10])},
    ),
    "pixel shuffle": Network(
        'a = Conv (input, w) output = DepthToSpace <blocksize = 2, mode = "CRD"> (a)', {"w": (12, 4, 1, 1)}
    ),
    "prelu": Network("a = Conv (input, w) output = PRelu (a, s)", {"w": (5, 4, 3, 3), "s": (5, 1, 1)}),
    "leaky, elu, gelu": Network(
        "a = LeakyRelu <alpha = 0.2> (input) b = Elu (a) c = Div (b, root) d = Erf (c) e = Add (d, one) f = Mul (b, e)"
        " output = Mul (f, half)",
        {"root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)},
    ),
    "hardswish": Network("a = Conv (input, w) b = HardSwish (a) output = HardSigmoid (b)", {"w": (5, 4, 3, 3)}),
    "silu": Network("a = Conv (input, w) b = Sigmoid (a) c = Mul (a, b) output = Tanh (c)", {"w": (5, 4, 3, 3)}),
    "squeeze and excitation": Network(
        "a = Conv <pads = [1, 1, 1, 1]> (input, w) s = GlobalAveragePool (a) d = Conv (s, down, x) r = Relu (d) u ="
        " Conv (r, up, y) g = Sigmoid (u) output = Mul (a, g)",
        {"w": (8, 4, 3, 3), "down": (2, 8, 1, 1), "x": (2,), "up": (8, 2, 1, 1), "y": (8,)},
    ),
    "a gate of a binary convolution": Network(
        "a = GlobalAveragePool (input)"
        + binary("a", "b", "u", 4)
        + "g = Sigmoid (b) c = Conv (input, w) output = Mul (g, c)",
        {**binary_constants("u", 48, 4), "w": (48, 4, 1, 1)},
    ),
    "a mask of one binary channel": Network(
        binary("input", "a", "u", 4) + "m = Sigmoid (a) c = Conv (input, w) output = Mul (c, m)",
        {**binary_constants("u", 1, 4), "w": (48, 4, 1, 1)},
    ),
    "a binary convolution of one image added to three": Network(
        binary("input", "a", "u", 4) + "output = Add (a, three)",
        {**binary_constants("u", 33, 4)},
        inputs=f"{IMAGE}, float[3,33,9,7] three",
    ),
    "a binary column spread over a width": Network(
        binary("column", "a", "u", 4) + "output = Sub (wide, a)",
        {**binary_constants("u", 64, 4)},
        inputs="float[1,4,9,1] column, float[1,64,9,7] wide",
    ),
    "gates of float convolutions": Network(
        "a = GlobalAveragePool (input) b = Conv (a, u) g = HardSigmoid (b) c = Mul (three, g) d = Conv <pads = [1, 1,"
        " 1, 1]> (input, v) m = Sigmoid (d) output = Add (c, m)",
        {"u": (48, 4, 1, 1), "v": (1, 4, 3, 3)},
        inputs=f"{IMAGE}, float[3,48,9,7] three",
    ),
    "gates of dense layers": Network(
        "a = Gemm (row, u) g = Sigmoid (a) b = Mul (g, three) c = Gemm (row, v) output = Add (b, c)",
        {"u": (6, 40), "v": (6, 1)},
        inputs="float[1,6] row, float[3,40] three",
        outputs="float[N,C] output",
    ),
    "axes that count from the end": Network(
        "a = Conv (input, w) b = GlobalAveragePool (a) c = Squeeze (b, last) output = Squeeze (c, last) d = ReduceMean"
        " (a, third) s = Squeeze (d, third) k = Softmax <axis = -3> (a) r = ReduceSum <keepdims = 0> (k, last) m = Mean"
        " (a, k)",
        {"w": (8, 4, 3, 3), "last": np.array([-1]), "third": np.array([-2])},
        outputs="float[N,A] output, float[N,C,W] s, float[N,C,H] r, float[N,C,H,W] m",
    ),
    "layer norm behind a convolution": Network(
        "a = Conv (input, w) b = LayerNormalization <axis = 1> (a, g, h) c = LayerNormalization <axis = -3> (b, h, g) "
        "output = LayerNormalization <axis = -2> (c, k)",
        {"w": (6, 4, 1, 1), "g": (6, 9, 7), "h": (6, 9, 7), "k": (9, 7)},
    ),
    "batch norm": Network(
        "a = Conv (input, w) b = BatchNormalization (a, g, c, m, v) output = Relu (b)",
        {"w": (5, 4, 3, 3), "g": (5,), "c": (5,), "m": (5,), "v": np.array([0.1, 1, 2, 0.5, 3], np.float32)},
    ),
    "instance norm": Network("a = InstanceNormalization (input, g, c) output = Relu (a)", {"g": (4,), "c": (4,)}),
    "attention over pixels": Network(
        "a = Reshape (input, rows) x = Transpose <perm = [0, 2, 1]> (a) n = LayerNormalization <axis = -1> (x, g, c) q"
        " = MatMul (n, wq) k = MatMul (n, wk) kt = Transpose <perm = [0, 2, 1]> (k) s = MatMul (q, kt) p = Softmax"
        " <axis = -1> (s) output = MatMul (p, n)",
        {"rows": np.array([1, 4, 63]), "g": (4,), "c": (4,), "wq": (4, 4), "wk": (4, 4)},
        outputs="float[N,P,C] output",
    ),
    "classifier": Network(
        "a = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (input) b = Flatten (a) c = Gemm <transB = 1> (b, w, x)"
        " d = Relu (c) e = Gemm (d, v, y) output = Softmax (e)",
        {"w": (20, 48), "x": (20,), "v": (20, 3), "y": (3,)},
        outputs="float[N,C] output",
    ),
    "reductions": Network(
        "a = ReduceMean <keepdims = 0> (input, axes) b = ReduceMax <keepdims = 0> (input, axes) c = Sub (b, a) output ="
        " ReduceL2 (c, last)",
        {"axes": np.array([2, 3]), "last": np.array([1])},
        outputs="float[N,C] output",
    ),
    "slices and split": Network(
        "a, b = Split <axis = 1, num_outputs = 2> (input) c = Slice (b, starts, ends, axes, steps) d = Slice (a,"
        " starts, ends, axes, steps) output = Mul (c, d)",
        {"starts": np.array([1, 0]), "ends": np.array([8, 7]), "axes": np.array([2, 3]), "steps": np.array([2, 3])},
    ),
    "two inputs": Network(
        "a = Conv (image, w) b = Gemm (features, v) c = Unsqueeze (b, rear) output = Add (a, c)",
        {"w": (5, 4, 3, 3), "v": (6, 5), "rear": np.array([2, 3])},
        inputs="float[1,4,9,7] image, float[1,6] features",
    ),
    "two outputs, one of them used inside": Network(
        "features = Conv (input, w) r = Relu (features) output = Conv (r, v)",
        {"w": (5, 4, 3, 3), "v": (3, 5, 1, 1)},
        outputs=f"{OUTPUT}, float[N,C,H,W] features",
    ),
    "a reshaped output used inside": Network(
        "a = Relu (input) rows = Reshape (a, shape) b = Sigmoid (rows) output = Add (b, rows)",
        {"shape": np.array([2, 126])},
        outputs="float[A,B] output, float[C,D] rows",
    ),
    "outputs that are an input": Network(
        "output = Relu (input) same = Identity (input)", outputs=f"{OUTPUT}, float[N,C,H,W] same"
    ),
    "an output that is a constant": Network(
        "output = Relu (input) anchors = Identity (table)", {"table": (3, 2)}, outputs=f"{OUTPUT}, float[A,B] anchors"
    ),
    "two outputs that are one": Network(
        "output = Relu (input) again = Identity (output)", outputs=f"{OUTPUT}, float[N,C,H,W] again"
    ),
    "nothing but a copy": Network("output = Identity (input)"),
    "a reshaped input as output": Network(
        "output = Reshape (input, shape)", {"shape": np.array([4, 63])}, outputs="float[A,B] output"
    ),
    "batch of three": Network(
        "a = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (input, w) b = Relu (a) c = GlobalAveragePool (b) d = Flatten"
        " (c) output = Gemm (d, v)",
        {"w": (8, 4, 3, 3), "v": (8, 10)},
        inputs="float[3,4,9,7] input",
        outputs="float[N,C] output",
    ),
    "one pixel": Network(
        "a = Conv (input, w, b) c = Relu (a) output = Conv <pads = [1, 1, 1, 1]> (c, v)",
        {"w": (8, 4, 1, 1), "b": (8,), "v": (4, 8, 3, 3)},
        inputs="float[1,4,1,1] input",
    ),
    "one value spread over channels": Network(
        "a = Conv (input, w) b = Relu (a) c = Mul (b, g) output = Sigmoid (c)", {"w": (1, 4, 9, 7), "g": (24, 1, 1)}
    ),
    "kernels larger than the image": Network(
        "output = Conv <pads = [3, 3, 3, 3], strides = [2, 1]> (input, w)",
        {"w": (5, 4, 7, 5)},
        inputs="float[1,4,2,3] input",
    ),
    "long and narrow kernels": Network(
        "a = Conv <pads = [0, 3, 0, 3]> (input, w) output = Conv <pads = [2, 0, 1, 0], dilations = [1, 2], strides ="
        " [1, 2]> (a, v)",
        {"w": (33, 4, 1, 7), "v": (3, 33, 4, 2)},
    ),
    "integers": Network(
        "a = Cast <to = 1> (index) b = Mul (a, scale) c = Floor (b) d = Cast <to = 7> (c) output = Gather (table, d)",
        {"scale": np.float32(1.5), "table": (4, 3)},
        inputs="int64[2,5] index",
        outputs="float[A,B,C] output",
    ),
    "an output of integers": Network(
        "a = Conv (input, w) b = GlobalAveragePool (a) c = Flatten (b) output = ArgMax <axis = 1, keepdims = 0> (c)",
        {"w": (10, 4, 3, 3)},
        outputs="int64[N] output",
    ),
    "binary in the form of a function": Network(
        "a = Conv <pads = [1, 1, 1, 1]> (input, w)"
        + binary("a", "b", "u", 33)
        + binary("b", "c", "v", 20, pads=0, strides=2, pad_value=1)
        + "d = Conv (a, p) e = Add (b, d) output = Relu (e) second = Relu (c)",
        {"w": (33, 4, 3, 3), "p": (20, 33, 1, 1), **binary_constants("u", 20, 33), **binary_constants("v", 16, 20)},
        outputs=f"{OUTPUT}, float[N,C,H,W] second",
    ),
    "outputs between binary convolutions": Network(
        binary("input", "output", "u", 4)
        + binary("output", "b", "v", 32)
        + "c = Mul (b, two) sum = Add (b, b)"
        + binary("c", "d", "x", 16)
        + "last = Identity (d) same = Identity (b)",
        {
            "two": np.float32(2),
            **binary_constants("u", 32, 4),
            **binary_constants("v", 16, 32),
            **binary_constants("x", 8, 16),
        },
        outputs=f"{OUTPUT}, float[N,C,H,W] same, float[N,C,H,W] sum, float[N,C,H,W] last",
    ),
    "outputs in channels-last": Network(
        binary("input", "a", "u", 4)
        + binary("a", "b", "v", 32)
        + "first = Transpose <perm = [0, 2, 3, 1]> (a) output = Transpose <perm = [0, 2, 3, 1]> (b)",
        {**binary_constants("u", 32, 4), **binary_constants("v", 16, 32)},
        outputs=f"{OUTPUT}, float[N,H,W,C] first",
    ),
    "a reshaped input and what it is computed from": Network(
        "rows = Reshape (input, shape) a = Relu (input) output = Reshape (a, shape) b = Flatten (a) c = Sigmoid (b) d ="
        " Reshape (c, wide)",
        {"shape": np.array([4, 63]), "wide": np.array([2, 126])},
        outputs="float[A,B] output, float[A,B] rows, float[A,B] b, float[C,D] d, float[N,C,H,W] a",
    ),
    "binary dense layers": Network(
        "a = Conv (input, w) b = Flatten (a) p = GreaterOrEqual (b, t) s = Where (p, one, minus) c = Gemm (s, u, x) "
        "q = Greater (c, zero) r = Where (q, one, minus) output = Gemm <transB = 1> (r, v)",
        {
            "w": (3, 4, 3, 3),
            "t": (105,),
            "one": np.float32(1),
            "minus": np.float32(-1),
            "zero": np.float32(0.03),
            "x": (40,),
            "u": reference.sign(constant("u", (105, 40))) * np.float32(0.1),
            "v": reference.sign(constant("v", (10, 40))).astype(np.float32),
        },
        outputs="float[N,C] output",
    ),
    "binary in standard operators": Network(
        "a = Conv (input, w) p = GreaterOrEqual (a, t) s = Where (p, one, minus) q = Pad (s, pads, minus) b = Conv (q,"
        " v) c = Mul (b, g) d = BatchNormalization (c, gg, gg, gg, vv) e = PRelu (d, sl) output = MaxPool <kernel_shape"
        " = [2, 2]> (e)",
        {
            "w": (16, 4, 3, 3),
            "t": (1, 16, 1, 1),
            "one": np.float32(1),
            "minus": np.float32(-1),
            "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
            "v": reference.sign(constant("v", (8, 16, 3, 3))).astype(np.float32),
            "g": np.abs(constant("g", (8, 1, 1))),
            "gg": (8,),
            "vv": np.full(8, 2, np.float32),
            "sl": (8, 1, 1),
        },
    ),
}
