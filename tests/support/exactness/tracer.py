"""Write an ONNX network and say what it computes, by reference.py, in one go: each call adds a node and returns its
value.

The nodes are in the plain form that any exporter writes: GreaterOrEqual, Where, [Pad], Conv, and what stands behind.
All constants but those of ``scale`` are small multiples of powers of two, so that float32 arithmetic is exact in any
order and the results can be compared bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from b2nn_tvm import reference
from tests.support.networks.binary_networks import Layer
from tests.support.networks.onnx_models import model

SIGNS = {"zero": np.float32(0), "one": np.float32(1), "minus": np.float32(-1)}
EPSILON = 2.0**-10
QUARTERS = np.arange(-8, 9, dtype=np.float32) / 4
GAINS = np.array([0.5, -0.25, 1, -2, 2, 0.25, 0], np.float32)


@dataclass(frozen=True)
class Value:
    """A tensor of the network: its name, and what it is for the inputs at hand."""

    name: str
    array: np.ndarray


class Tracer:
    """The network so far. ``inputs`` are the arrays to run it with, ``expected`` its outputs for them, ``labels`` what
    they are.

    The same calls give the same network for every ``seed``; the inputs differ.
    """

    def __init__(self, seed: int = 0):
        self.inputs: dict[str, np.ndarray] = {}
        self.expected: dict[str, np.ndarray] = {}
        self.labels: dict[str, str] = {}
        self.data = np.random.default_rng(seed)
        self.constants = np.random.default_rng(0)
        self._nodes: list[str] = []
        self._initializers: dict[str, np.ndarray] = dict(SIGNS)
        self._count = 0

    def model(self) -> onnx.ModelProto:
        inputs, outputs = (_declare(values) for values in (self.inputs, self.expected))
        return model("\n".join(self._nodes), self._initializers, inputs=inputs, outputs=outputs)

    def input(self, array: np.ndarray) -> Value:
        """An input [N, C] or [N, C, H, W], which the network takes channels-last: a transposition is no part of
        these tests.
        """
        name = self._fresh("x")
        self.inputs[name] = _channels_last(array)
        return Value(name, array) if array.ndim == 2 else self._node(f"Transpose <perm = [0, 3, 1, 2]> ({name})", array)

    def output(self, value: Value, label: str) -> None:
        """Compare the value, channels-last; ``label`` says in a message what it is."""
        if value.array.ndim == 4:
            value = self._node(f"Transpose <perm = [0, 2, 3, 1]> ({value.name})", _channels_last(value.array))
        self.expected[value.name] = value.array.astype(np.float32)
        self.labels[value.name] = label

    def sign(self, x: Value, threshold: np.ndarray | float = 0.0) -> Value:
        """-1 or +1: ``threshold`` is a number, or one for each channel [C, 1, 1], [C] for a dense layer."""
        limit = self._constant(threshold) if np.any(threshold) else "zero"
        at_least = self._node(f"GreaterOrEqual ({x.name}, {limit})", None)
        return self._node(f"Where ({at_least.name}, one, minus)", reference.sign(x.array, threshold))

    def learned_sign(self, x: Value) -> Value:
        """A sign with a threshold of its own for each channel; the values of x often meet it exactly."""
        return self.sign(x, _per_channel(self._draw(QUARTERS, x.array.shape[1]), x))

    def conv(self, signs: Value, layer: Layer) -> Value:
        w, (top, left, bottom, right) = layer.workload, layer.workload.padding
        source, pads = signs.name, "" if layer.pad_value else f", pads = [{top}, {left}, {bottom}, {right}]"
        if layer.pad_value and any(w.padding):
            widths = self._constant(np.array([0, 0, top, left, 0, 0, bottom, right]))
            source = self._node(f"Pad ({source}, {widths}, {'one' if layer.pad_value == 1 else 'minus'})", None).name
        weight = self._constant(layer.weight.astype(np.float32))
        attributes = f"strides = {list(w.stride)}, dilations = {list(w.dilation)}{pads}"
        return self._node(f"Conv <{attributes}> ({source}, {weight})", layer.expected(signs.array).astype(np.float32))

    def dense(self, signs: Value, outputs: int) -> Value:
        weight = reference.sign(self.constants.standard_normal((outputs, signs.array.shape[1])))
        name = self._constant(np.ascontiguousarray(weight.T).astype(np.float32))
        return self._node(
            f"Gemm ({signs.name}, {name})", reference.binary_dense(signs.array, weight).astype(np.float32)
        )

    def scale(self, y: Value) -> Value:
        """Times any float32 per channel: one rounding."""
        scale = self.constants.uniform(0.01, 2, y.array.shape[1]).astype(np.float32)
        array = reference.scale_channels(y.array.astype(np.int32), scale) if y.array.ndim == 4 else y.array * scale
        return self._node(f"Mul ({y.name}, {self._constant(_per_channel(scale, y))})", array)

    def affine(self, y: Value) -> Value:
        gain, bias = (_per_channel(self._draw(values, y.array.shape[1]), y) for values in (GAINS, QUARTERS))
        scaled = self._node(f"Mul ({y.name}, {self._constant(gain)})", y.array * gain)
        return self._node(f"Add ({scaled.name}, {self._constant(bias)})", scaled.array + bias)

    def batch_norm(self, y: Value) -> Value:
        channels = y.array.shape[1]
        gamma, beta, mean = (self._draw(values, channels) for values in (GAINS, QUARTERS, QUARTERS))
        deviation = self._draw(np.array([0.5, 1, 2], np.float32), channels)
        names = [self._constant(value) for value in (gamma, beta, mean, deviation**2 - np.float32(EPSILON))]
        shape = lambda value: _per_channel(value, y)
        array = (y.array - shape(mean)) / shape(deviation) * shape(gamma) + shape(beta)
        return self._node(f"BatchNormalization <epsilon = {EPSILON}> ({y.name}, {', '.join(names)})", array)

    def residual(self, y: Value, *, finite: bool = False) -> Value:
        """Plus another input of the same shape, some of whose values are infinite or no numbers unless ``finite``."""
        other = self.data.choice(QUARTERS, y.array.shape)
        if not finite:
            for value, step in ((np.inf, 5), (-np.inf, 4), (np.nan, 3)):
                other.flat[step - 3 :: max(1, other.size // step)] = value
        return self.add(y, self.input(other))

    def add(self, a: Value, b: Value) -> Value:
        return self._node(f"Add ({a.name}, {b.name})", a.array + b.array)

    def relu(self, y: Value) -> Value:
        return self._node(f"Relu ({y.name})", np.maximum(y.array, np.float32(0)))

    def clip(self, y: Value) -> Value:
        return self._node(f"Clip ({y.name}, minus, one)", np.clip(y.array, np.float32(-1), np.float32(1)))

    def prelu(self, y: Value) -> Value:
        slope = _per_channel(self._draw(np.array([0.25, 0.5, -0.5], np.float32), y.array.shape[1]), y)
        array = np.where(y.array >= 0, y.array, y.array * slope)
        return self._node(f"PRelu ({y.name}, {self._constant(slope)})", array)

    def shift(self, y: Value) -> Value:
        bias = _per_channel(self._draw(QUARTERS, y.array.shape[1]), y)
        return self._node(f"Add ({y.name}, {self._constant(bias)})", y.array + bias)

    def max_pool(self, y: Value) -> Value:
        windows = np.lib.stride_tricks.sliding_window_view(y.array, (2, 2), axis=(2, 3))[:, :, ::2, ::2]
        return self._node(f"MaxPool <kernel_shape = [2, 2], strides = [2, 2]> ({y.name})", windows.max(axis=(4, 5)))

    def _node(self, text: str, array: np.ndarray | None) -> Value:
        value = Value(self._fresh("v"), array if array is None else np.asarray(array))
        self._nodes.append(f"{value.name} = {text}")
        return value

    def _constant(self, value: np.ndarray | float) -> str:
        name = self._fresh("c")
        array = np.asarray(value)
        self._initializers[name] = array if array.dtype == np.int64 else array.astype(np.float32)
        return name

    def _draw(self, values: np.ndarray, *shape: int) -> np.ndarray:
        return self.constants.choice(values, shape)

    def _fresh(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count}"


def _per_channel(value: np.ndarray, y: Value) -> np.ndarray:
    return value.reshape(-1, *(1,) * (y.array.ndim - 2))


def _channels_last(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(array, 1, -1))


def _declare(values: dict[str, np.ndarray]) -> str:
    return ", ".join(f"float[{','.join(map(str, array.shape))}] {name}" for name, array in values.items())
