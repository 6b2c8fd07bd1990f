"""Small quantized networks (QuantizeLinear and DequantizeLinear around each layer), with weights of 8 bits."""

from __future__ import annotations

import numpy as np
import onnx

from tests.support.networks.onnx_models import model

SCALE = 0.05  # of the output's codes


class _Builder:
    """Nodes and constants of a network; each method returns the name of its result."""

    def __init__(self, seed: int):
        self._rng = np.random.default_rng(seed)
        self.nodes: list[str] = []
        self.constants: dict[str, np.ndarray] = {}

    def put(self, text: str) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(f"{name} = {text}")
        return name

    def _constant(self, value: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name

    def quantized(self, x: str, scale: float, zero: int = 0, kind: type = np.uint8) -> str:
        """x as codes, and these as numbers again."""
        s, z = self._constant(np.float32(scale)), self._constant(kind(zero))
        return self.put(f"DequantizeLinear ({self.put(f'QuantizeLinear ({x}, {s}, {z})')}, {s}, {z})")

    def _weights(self, *shape: int) -> str:
        whole = self._rng.integers(-127, 128, shape).astype(np.int8)
        whole.reshape(shape[0], -1)[:, 0] = 127
        scales = self._rng.uniform(0.5, 1.5, shape[0]) * 0.012 / np.sqrt(np.prod(shape[1:]))
        parts = (whole, scales.astype(np.float32), np.zeros(shape[0], np.int8))
        return self.put(f"DequantizeLinear <axis = 0> ({', '.join(map(self._constant, parts))})")

    def conv(self, x: str, outputs: int, inputs: int, size: int, attributes: str = "", groups: int = 1) -> str:
        weight = self._weights(outputs, inputs // groups, size, size)
        bias = self._constant(self._rng.normal(0, 0.3, outputs).astype(np.float32))
        pads = ", ".join([str(size // 2)] * 4)
        return self.put(f"Conv <pads = [{pads}], group = {groups}{attributes}> ({x}, {weight}, {bias})")

    def op(self, op: str, *inputs: str) -> str:
        return self.put(f"{op} ({', '.join(inputs)})")

    def classified(self, x: str, inputs: int) -> onnx.ModelProto:
        """The network that pools x and ends in a dense layer of ten outputs."""
        pooled = self.quantized(self.op("Flatten", self.op("GlobalAveragePool", x)), 0.01, 20)
        dense = self.put(f"Gemm <transB = 1> ({pooled}, {self._weights(10, inputs)})")
        self.nodes.append(f"output = Identity ({self.quantized(dense, SCALE, 128)})")
        outputs, shape = "float[1,10] output", "float[1,3,16,16] input"
        return model("\n".join(self.nodes), self.constants, inputs=shape, outputs=outputs)


def residual() -> onnx.ModelProto:
    """A stem with max pooling, a block with a shortcut, and one with a strided projection."""
    b = _Builder(0)
    x = b.quantized("input", 0.03, 120)
    x = b.quantized(b.op("Relu", b.conv(x, 16, 3, 5)), 0.02)
    x = b.quantized(b.put(f"MaxPool <kernel_shape = [2, 2], strides = [2, 2]> ({x})"), 0.02)
    y = b.quantized(b.op("Relu", b.conv(x, 16, 16, 3)), 0.02)
    x = b.quantized(b.op("Relu", b.op("Add", b.quantized(b.conv(y, 16, 16, 3), 0.02, 128), x)), 0.025)
    y = b.quantized(b.op("Relu", b.conv(x, 40, 16, 3, ", strides = [2, 2]")), 0.02)
    y = b.quantized(b.conv(y, 40, 40, 3), 0.02, 100)
    x = b.op("Add", y, b.quantized(b.conv(x, 40, 16, 1, ", strides = [2, 2]"), 0.02, 128))
    return b.classified(b.quantized(b.op("Relu", x), 0.02), 40)


def mobile() -> onnx.ModelProto:
    """Pointwise, depthwise and grouped convolutions on signed codes."""
    b = _Builder(1)
    x = b.quantized("input", 0.03, -5, np.int8)
    x = b.quantized(b.op("HardSwish", b.conv(x, 24, 3, 3, ", strides = [2, 2]")), 0.02, -100, np.int8)
    x = b.quantized(b.op("Relu", b.conv(x, 24, 24, 3, groups=24)), 0.02, -128, np.int8)
    x = b.quantized(b.conv(x, 36, 24, 1), 0.02, 3, np.int8)
    x = b.quantized(b.op("Relu", b.conv(x, 36, 36, 3, groups=3)), 0.02, -128, np.int8)
    return b.classified(x, 36)
