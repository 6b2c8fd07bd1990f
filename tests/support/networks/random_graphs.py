"""Random small networks drawn from seeds: chains of blocks as vision networks have them, with signs anywhere.

Every graph is valid ONNX, has an image of 8 x 8 or so as input, and a few layers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS = (1, 2, 3, 5, 8, 12, 16, 17, 31, 32, 33, 40)
LARGEST = 16  # rows and columns


def random_graph(seed: int) -> onnx.ModelProto:
    """The network of this seed."""
    return _Builder(np.random.default_rng([seed, 2000])).build()


class _Builder:
    """A graph under construction; values are names, and ``shapes`` has the shape of each."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.opset = int(rng.choice([13, 15, 17, 18, 19]))

    # ---- what blocks are made of

    def pick(self, *choices):
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def constant(self, value: np.ndarray, dtype: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def normal(self, *shape: int) -> np.ndarray:
        return self.rng.standard_normal(shape).astype(np.float32)

    def op(self, kind: str, *inputs: str, shape: tuple[int, ...], **attributes) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=f"n{len(self.nodes)}", **attributes))
        self.shapes[name] = tuple(int(size) for size in shape)
        return name

    def same(self, kind: str, x: str, *others: str, **attributes) -> str:
        return self.op(kind, x, *others, shape=self.shapes[x], **attributes)

    # ---- layers

    def conv(
        self,
        x: str,
        outputs: int | None = None,
        *,
        kernel: int | None = None,
        binary: bool | None = None,
        same_size: bool = False,
        group: int | None = None,
    ) -> str:
        n, c, h, w = self.shapes[x]
        outputs = outputs or int(self.pick(*CHANNELS))
        kernel = kernel or self.pick(1, 3, 3, 3, 5)
        kernel = kernel if same_size or min(h, w) >= kernel else 1
        dilation = self.pick(1, 1, 1, 2) if kernel == 3 else 1
        reach = (kernel - 1) * dilation + 1
        pad = reach // 2 if same_size or self.chance(0.6) or min(h, w) < reach else 0
        stride = 1 if same_size or min(h, w) < 4 else self.pick(1, 1, 1, 2)
        if group is None:
            common = [g for g in (2, 3, 4, 8, c) if c % g == 0 and outputs % g == 0 and g <= c]
            group = self.pick(*common) if common and self.chance(0.2) else 1
        weight = self.normal(outputs, c // group, kernel, kernel)
        if binary if binary is not None else self.chance(0.1):
            weight = np.where(weight >= 0, 1, -1).astype(np.float32)
            if self.chance(0.5):
                weight *= np.abs(self.normal(outputs, 1, 1, 1)) + 0.1
        else:
            weight /= np.sqrt(max(1, c // group * kernel * kernel))
        inputs = [x, self.constant(weight)]
        if self.chance(0.4):
            inputs.append(self.constant(self.normal(outputs)))
        size = [(s + 2 * pad - reach) // stride + 1 for s in (h, w)]
        return self.op(
            "Conv",
            *inputs,
            shape=(n, outputs, *size),
            kernel_shape=[kernel] * 2,
            pads=[pad] * 4,
            strides=[stride] * 2,
            dilations=[dilation] * 2,
            group=group,
        )

    def sign(self, x: str) -> str:
        """One of the spellings; zero counts as +1 but in one of them, where no value is 0."""
        c = self.shapes[x][1]
        per_channel = (1, c) + (1,) * (len(self.shapes[x]) - 2)
        threshold = self.pick(np.zeros(()), np.zeros(()), np.full((), 0.25), self.normal(*per_channel) / 2)
        t = self.constant(threshold)
        one, minus = self.constant(np.ones(())), self.constant(-np.ones(()))
        way = self.pick("ge", "ge", "less", "sign", "greater", "cast")
        if way == "sign":
            return self.same("Sign", self.same("Add", x, self.constant(self.normal(*per_channel))))
        if way == "less":
            return self.same("Where", self.same("Less", x, t), minus, one)
        if way == "greater":
            return self.same("Where", self.same("Greater", x, t), one, minus)
        if way == "cast":
            bits = self.same("Cast", self.same("GreaterOrEqual", x, t), to=TensorProto.FLOAT)
            return self.same("Sub", self.same("Mul", bits, self.constant(np.full((), 2.0))), one)
        return self.op("Where", self.same("GreaterOrEqual", x, t), one, minus, shape=self.shapes[x])

    def batch_norm(self, x: str) -> str:
        c = self.shapes[x][1]
        scale = (self.pick(np.ones(c), np.abs(self.normal(c)), self.normal(c))).astype(np.float32)
        values = (scale, self.normal(c) / 2, self.normal(c) / 2, np.abs(self.normal(c)) + 0.3)
        return self.same("BatchNormalization", x, *(self.constant(value) for value in values))

    def activation(self, x: str) -> str:
        kind = self.pick(
            "Relu", "Relu", "LeakyRelu", "PRelu", "HardSwish", "Sigmoid", "Tanh", "Clip", "Elu", "Softplus"
        )
        if kind == "PRelu":
            return self.same(kind, x, self.constant(self.normal(self.shapes[x][1], 1, 1)))
        if kind == "Clip":
            return self.same(kind, x, self.constant(np.full((), -1.0)), self.constant(np.full((), 1.5)))
        if kind == "HardSwish" and self.opset < 14:
            kind = "HardSigmoid"
        return self.same(kind, x)

    # ---- blocks: from one image to another

    def binary_conv(self, x: str) -> str:
        y = self.conv(self.sign(x), binary=True, group=1)
        if self.chance(0.5):
            y = self.same("Mul", y, self.constant(np.abs(self.normal(1, self.shapes[y][1], 1, 1)) + 0.1))
        return self.batch_norm(y) if self.chance(0.6) else y

    def residual(self, x: str) -> str:
        c = self.shapes[x][1]
        y = self.conv(self.sign(x) if self.chance(0.6) else x, c, same_size=True, binary=self.chance(0.6), group=1)
        y = self.batch_norm(y) if self.chance(0.5) else y
        return self.same(self.pick("Add", "Add", "Add", "Sub", "Mul", "Max"), y, x)

    def branches(self, x: str) -> str:
        ways = [self.conv(self.sign(x) if self.chance(0.5) else x, same_size=True) for _ in range(self.pick(2, 2, 3))]
        ways += [x] if self.chance(0.4) else []
        n, _, h, w = self.shapes[x]
        return self.op("Concat", *ways, axis=self.pick(1, -3), shape=(n, sum(self.shapes[y][1] for y in ways), h, w))

    def split(self, x: str) -> str:
        n, c, h, w = self.shapes[x]
        if c < 2:
            return self.activation(x)
        first = int(self.rng.integers(1, c))
        parts = [f"split{len(self.nodes)}_{i}" for i in range(2)]
        sizes = self.constant(np.array([first, c - first]), np.int64)
        self.nodes.append(helper.make_node("Split", [x, sizes], parts, axis=1, name=f"n{len(self.nodes)}"))
        for part, size in zip(parts, (first, c - first)):
            self.shapes[part] = (n, size, h, w)
        left = self.conv(self.sign(parts[0]) if self.chance(0.5) else parts[0], same_size=True, group=1)
        both = [left, parts[1]] if self.chance(0.5) else [parts[1], left]
        return self.op("Concat", *both, axis=1, shape=(n, sum(self.shapes[y][1] for y in both), h, w))

    def shuffle(self, x: str) -> str:
        n, c, h, w = self.shapes[x]
        groups = [g for g in (2, 3, 4) if c % g == 0]
        if not groups:
            return self.conv(x)
        g = self.pick(*groups)
        y = self.op("Reshape", x, self.constant(np.array([n, g, c // g, h, w]), np.int64), shape=(n, g, c // g, h, w))
        y = self.op("Transpose", y, perm=[0, 2, 1, 3, 4], shape=(n, c // g, g, h, w))
        return self.op("Reshape", y, self.constant(np.array([n, c, h, w]), np.int64), shape=(n, c, h, w))

    def squeeze_and_excitation(self, x: str) -> str:
        n, c, _, _ = self.shapes[x]
        y = self.op("GlobalAveragePool", x, shape=(n, c, 1, 1))
        y = self.conv(self.sign(y) if self.chance(0.4) else y, max(1, c // 2), kernel=1, same_size=True, group=1)
        y = self.same("Relu", y)
        y = self.conv(self.sign(y) if self.chance(0.2) else y, c, kernel=1, same_size=True, group=1)
        return self.op("Mul", x, self.same(self.pick("Sigmoid", "HardSigmoid"), y), shape=self.shapes[x])

    def pool(self, x: str) -> str:
        n, c, h, w = self.shapes[x]
        if min(h, w) < 3:
            return self.activation(x)
        x = self.sign(x) if self.chance(0.2) else x
        kernel, stride = self.pick((2, 2), (3, 2), (3, 1), (2, 1))
        pad = 1 if kernel == 3 and self.chance(0.5) else 0
        kind = self.pick("MaxPool", "AveragePool")
        more = {"count_include_pad": self.pick(0, 1)} if kind == "AveragePool" else {}
        size = [(s + 2 * pad - kernel) // stride + 1 for s in (h, w)]
        return self.op(
            kind, x, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, shape=(n, c, *size), **more
        )

    def resize(self, x: str) -> str:
        n, c, h, w = self.shapes[x]
        if max(h, w) * 2 > LARGEST:
            return self.pool(x)
        x = self.sign(x) if self.chance(0.2) else x
        mode = self.pick("nearest", "nearest", "linear")
        coordinates = "asymmetric" if mode == "nearest" else self.pick("half_pixel", "pytorch_half_pixel")
        more = {"nearest_mode": "floor"} if mode == "nearest" else {}
        scales = self.constant(np.array([1, 1, 2, 2]))
        return self.op(
            "Resize",
            x,
            "",
            scales,
            mode=mode,
            coordinate_transformation_mode=coordinates,
            shape=(n, c, 2 * h, 2 * w),
            **more,
        )

    def pad(self, x: str) -> str:
        n, c, h, w = self.shapes[x]
        if max(h, w) + 2 > LARGEST:
            return self.crop(x)
        mode = self.pick("constant", "constant", "edge", "reflect")
        mode = mode if min(h, w) > 2 else "constant"
        x = self.sign(x) if self.chance(0.3) else x
        top, left, bottom, right = (int(v) for v in self.rng.integers(0, 2, 4))
        inputs = [x, self.constant(np.array([0, 0, top, left, 0, 0, bottom, right]), np.int64)]
        if mode == "constant":
            inputs.append(self.constant(np.full((), self.pick(0.0, 1.0, -1.0, 0.5))))
        return self.op("Pad", *inputs, mode=mode, shape=(n, c, h + top + bottom, w + left + right))

    def crop(self, x: str) -> str:
        n, c, h, w = self.shapes[x]
        axis = self.pick(1, 2, 3)
        size = (n, c, h, w)[axis]
        if size < 3:
            return self.activation(x)
        start, step = int(self.rng.integers(0, 2)), self.pick(1, 1, 2)
        shape = [n, c, h, w]
        shape[axis] = len(range(start, size, step))
        ends = (self.constant(np.array([v]), np.int64) for v in (start, size, self.pick(axis, axis - 4), step))
        return self.op("Slice", x, *ends, shape=tuple(shape))

    def channels_last(self, x: str) -> str:
        """Something in NHWC, and back."""
        n, c, h, w = self.shapes[x]
        y = self.op("Transpose", x, perm=[0, 2, 3, 1], shape=(n, h, w, c))
        way = self.pick("scale", "dense", "norm", "softmax")
        if way == "dense":
            d = int(self.pick(*CHANNELS))
            weight = self.normal(c, d)
            if self.chance(0.5):
                one, minus = self.constant(np.ones(())), self.constant(-np.ones(()))
                y = self.same("Where", self.same("GreaterOrEqual", y, self.constant(np.zeros(()))), one, minus)
                weight = np.where(weight >= 0, 1, -1)
            y, c = self.op("MatMul", y, self.constant(weight), shape=(n, h, w, d)), d
        elif way == "norm" and self.opset >= 17:
            y = self.same("LayerNormalization", y, self.constant(self.normal(c)), self.constant(self.normal(c)))
        elif way == "softmax":
            y = self.same("Softmax", y, axis=self.pick(-1, 3, 1))
        else:
            y = self.same("Mul", y, self.constant(self.normal(c)))
        return self.op("Transpose", y, perm=[0, 3, 1, 2], shape=(n, c, h, w))

    def swap(self, x: str) -> str:
        n, c, h, w = self.shapes[x]
        return self.op("Transpose", x, perm=[0, 1, 3, 2], shape=(n, c, w, h))

    def centre(self, x: str) -> str:
        """x minus its mean, or divided by its largest value, over some axes."""
        n, c, h, w = self.shapes[x]
        axes = self.pick((2, 3), (1,), (-1,), (1, 2, 3))
        kept = [1 if axis in axes or axis - 4 in axes else size for axis, size in enumerate((n, c, h, w))]
        if self.opset >= 18:
            mean = self.op("ReduceMean", x, self.constant(np.array(axes), np.int64), shape=tuple(kept))
        else:
            mean = self.op("ReduceMean", x, axes=list(axes), shape=tuple(kept))
        return self.op("Sub", x, mean, shape=self.shapes[x])

    def space_to_depth(self, x: str) -> str:
        n, c, h, w = self.shapes[x]
        if h % 2 or w % 2 or c > 16:
            if c % 4 == 0 and max(h, w) * 2 <= LARGEST:
                mode = self.pick("CRD", "DCR")
                return self.op("DepthToSpace", x, blocksize=2, mode=mode, shape=(n, c // 4, 2 * h, 2 * w))
            return self.binary_conv(x)
        return self.op("SpaceToDepth", x, blocksize=2, shape=(n, 4 * c, h // 2, w // 2))

    # ---- the whole

    def head(self, x: str) -> str:
        n, c, h, w = self.shapes[x]
        if self.chance(0.5):
            x, width = self.op("GlobalAveragePool", x, shape=(n, c, 1, 1)), c
        else:
            width = c * h * w
        x = self.op("Flatten", x, shape=(n, width))
        if self.chance(0.4):
            one, minus = self.constant(np.ones(())), self.constant(-np.ones(()))
            x = self.same("Where", self.same("GreaterOrEqual", x, self.constant(np.zeros(()))), one, minus)
            weight = np.where(self.normal(width, 10) >= 0, 1, -1)
        else:
            weight = self.normal(width, 10) / np.sqrt(width)
        if self.chance(0.5):
            x = self.op("MatMul", x, self.constant(weight), shape=(n, 10))
        else:
            x = self.op("Gemm", x, self.constant(weight), self.constant(self.normal(10)), shape=(n, 10))
        return self.same("Softmax", x, axis=-1) if self.chance(0.2) else x

    def build(self) -> onnx.ModelProto:
        n, c = self.pick(1, 1, 1, 2), int(self.pick(1, 3, 3, 4, 8))
        h, w = self.pick((8, 8), (8, 8), (9, 7), (6, 10), (5, 5))
        self.shapes["input"] = (n, c, h, w)
        blocks: tuple[Callable[[str], str], ...] = (
            *(self.conv, self.conv, self.binary_conv, self.binary_conv, self.binary_conv, self.activation, self.sign),
            *(self.residual, self.residual, self.branches, self.split, self.shuffle, self.squeeze_and_excitation),
            *(self.pool, self.pool, self.resize, self.pad, self.crop, self.channels_last, self.swap, self.centre),
            *(self.space_to_depth, self.batch_norm),
        )
        x, seen = "input", []
        for _ in range(int(self.rng.integers(2, 9))):
            x = self.pick(*blocks)(x)
            seen.append(x)
        outputs = [self.head(x) if self.chance(0.5) else x]
        if self.chance(0.25):
            outputs.append(self.pick(*seen))
        outputs = list(dict.fromkeys(outputs))
        graph = helper.make_graph(
            self.nodes,
            "random",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, (n, c, h, w))],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, self.shapes[name]) for name in outputs],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
