"""ONNX networks of nothing but binary convolutions, and what reference.py says that they compute.

They are in the plain form that any exporter writes: GreaterOrEqual, Where, [Pad], Conv, and batch norm between.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import onnx

from b2nn_tvm import reference
from b2nn_tvm.workload import ConvWorkload
from tests.support.networks.onnx_models import model

CHANNELS = (1, 3, 16, 31, 32, 33, 63, 64, 65, 96, 128)
KERNELS = (1, 3, 5)
VARIANTS = tuple(itertools.product((1, 2), (1, 2), (0, 1, -1)))  # stride, dilation, pad value
HEIGHT, WIDTH = 7, 6
SIGNS = {"zero": np.float32(0), "one": np.float32(1), "minus": np.float32(-1)}


@dataclass(frozen=True)
class Layer:
    """One binary convolution of a network: its shape, what it pads with, its weights and its thresholds [C, 1, 1]."""

    workload: ConvWorkload
    pad_value: int
    weight: np.ndarray
    threshold: np.ndarray

    def with_weight(self, weight: np.ndarray) -> Layer:
        return replace(self, weight=weight)

    def expected(self, signs: np.ndarray) -> np.ndarray:
        w = self.workload
        return reference.binary_conv2d(
            signs, self.weight, stride=w.stride, padding=w.padding, dilation=w.dilation, pad_value=self.pad_value
        )


def layer(channels: int, kernel: int, variant: int, *, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Layer:
    """Batch, outputs, thresholds and how lopsided the padding is change with the variant."""
    stride, dilation, pad_value = VARIANTS[variant % len(VARIANTS)]
    rng = np.random.default_rng([channels, kernel, variant])
    outputs = CHANNELS[(CHANNELS.index(channels) + variant) % len(CHANNELS)]
    reach = dilation * (kernel - 1)
    padding = (reach // 2, reach // 2, reach - reach // 2, reach - reach // 2 - (reach > 2 and variant % 2))
    batch = 3 if variant % 4 == 0 else 1
    shape = (batch, channels, *size, outputs)
    workload = ConvWorkload(*shape, (kernel,) * 2, (stride,) * 2, padding, (dilation,) * 2)
    weight = reference.sign(rng.standard_normal((outputs, channels, kernel, kernel)))
    threshold = rng.choice(np.array([0, 0, 0.5, -0.25], np.float32), (channels, 1, 1))
    return Layer(workload, pad_value, weight, threshold)


def nodes_of(one: Layer, x: str, y: str, limit: str, weight: str) -> str:
    """GreaterOrEqual, Where, [Pad], Conv: the padding in the convolution where it is 0."""
    w, (top, left, bottom, right) = one.workload, one.workload.padding
    pads = "" if one.pad_value else f", pads = [{top}, {left}, {bottom}, {right}]"
    padded = f"{y}_signs"
    text = f"{y}_at_least = GreaterOrEqual ({x}, {limit})\n{y}_signs = Where ({y}_at_least, one, minus)\n"
    if one.pad_value:
        padded = f"{y}_padded"
        value = "one" if one.pad_value == 1 else "minus"
        text += f"{y}_widths = Constant <value_ints = [0, 0, {top}, {left}, 0, 0, {bottom}, {right}]> ()\n"
        text += f"{padded} = Pad ({y}_signs, {y}_widths, {value})\n"
    strides, dilations = list(w.stride), list(w.dilation)
    return text + f"{y} = Conv <strides = {strides}, dilations = {dilations}{pads}> ({padded}, {weight})\n"


def value_info(names: list[str], shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(f"float[{','.join(map(str, shape))}] {name}" for name, shape in zip(names, shapes, strict=True))


def input_shape(w: ConvWorkload) -> tuple[int, ...]:
    return (w.batch, w.in_channels, w.in_height, w.in_width)


def output_shape(w: ConvWorkload) -> tuple[int, ...]:
    return (w.batch, w.out_channels, w.out_height, w.out_width)


def activations(shape: tuple[int, ...], seed: int) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    for value, step in ((0.0, 7), (-0.0, 5), (np.nan, 3), (0.5, 4)):
        x.flat[step - 3 :: max(1, x.size // step)] = value
    return x


@cache
def layers_of(kernel: int) -> tuple[Layer, ...]:
    """Three variants for each channel count; over all channel counts, every variant at least twice."""
    return tuple(layer(c, kernel, 3 * i + offset) for i, c in enumerate(CHANNELS) for offset in (0, 4, 8))


def independent(kernel: int) -> onnx.ModelProto:
    """A network of unconnected binary convolutions."""
    layers = layers_of(kernel)
    names = [f"x{i}" for i in range(len(layers))], [f"y{i}" for i in range(len(layers))]
    constants = dict(SIGNS)
    for i, one in enumerate(layers):
        constants |= {f"t{i}": one.threshold, f"w{i}": one.weight.astype(np.float32)}
    nodes = "".join(nodes_of(one, f"x{i}", f"y{i}", f"t{i}", f"w{i}") for i, one in enumerate(layers))
    inputs = value_info(names[0], [input_shape(one.workload) for one in layers])
    outputs = value_info(names[1], [output_shape(one.workload) for one in layers])
    return model(nodes, constants, inputs=inputs, outputs=outputs)


# channels of the input and of each layer, stride and padding value of all but the first
CHAINS = (
    ((3, 16, 33), 1, 0),
    ((31, 32, 16), 2, 0),
    ((32, 64, 64, 10), 1, -1),
    ((65, 63, 32), 1, 1),
    ((16, 128, 96), 1, 0),
    ((64, 96, 128, 65), 2, -1),
)


def chain_name(index: int) -> str:
    return "-".join(map(str, CHAINS[index][0]))


@dataclass(frozen=True)
class Chain:
    """Binary convolutions with batch norm between: (gamma, beta, mean, variance) behind each layer but the last."""

    layers: tuple[Layer, ...]
    norms: tuple[tuple[np.ndarray, ...], ...]


@cache
def chain(index: int) -> Chain:
    """Means lie halfway between the integers that a convolution gives, so that no rounding decides a sign."""
    channels, stride, pad_value = CHAINS[index]
    rng = np.random.default_rng(index)
    height, width, layers, norms = 9, 8, [], []
    for position, (inputs, outputs) in enumerate(itertools.pairwise(channels)):
        step, value = (stride, pad_value) if position else (1, 0)
        workload = ConvWorkload(1, inputs, height, width, outputs, (3, 3), (step, step), (1, 1, 1, 1))
        weight = reference.sign(rng.standard_normal((outputs, inputs, 3, 3)))
        layers.append(Layer(workload, value, weight, np.zeros((inputs, 1, 1), np.float32)))
        height, width = workload.out_height, workload.out_width
        gamma = rng.choice(np.array([1.5, -0.75, 0.5, -2.0, 0.0], np.float32), outputs)
        beta = np.where(gamma == 0, rng.choice(np.array([0.0, 0.5, -0.5], np.float32), outputs), np.float32(0))
        mean = rng.integers(-6, 6, outputs).astype(np.float32) + 0.5
        norms.append((gamma, beta, mean, rng.uniform(0.5, 4, outputs).astype(np.float32)))
    return Chain(tuple(layers), tuple(norms[:-1]))


def chained(*indices: int) -> onnx.ModelProto:
    """A network of these chains, unconnected: chain i takes ``x{i}`` and gives ``y{i}``."""
    constants, nodes = dict(SIGNS), ""
    for index in indices:
        layers, norms = chain(index).layers, chain(index).norms
        x = f"x{index}"
        for i, one in enumerate(layers):
            here = f"{index}_{i}"
            y = f"sums{here}" if i < len(norms) else f"y{index}"
            constants[f"w{here}"] = one.weight.astype(np.float32)
            nodes += nodes_of(one, x, y, "zero", f"w{here}")
            if i < len(norms):
                constants |= {f"{name}{here}": value for name, value in zip("gbmv", norms[i], strict=True)}
                parameters = ", ".join(f"{name}{here}" for name in "gbmv")
                x = f"normal{here}"
                nodes += f"{x} = BatchNormalization <epsilon = 0.001> ({y}, {parameters})\n"
    inputs = [input_shape(chain(index).layers[0].workload) for index in indices]
    outputs = [output_shape(chain(index).layers[-1].workload) for index in indices]
    names = [[f"{letter}{index}" for index in indices] for letter in "xy"]
    return model(nodes, constants, inputs=value_info(names[0], inputs), outputs=value_info(names[1], outputs))


def expected_of(one: Chain, x: np.ndarray) -> np.ndarray:
    signs = reference.sign(x)
    for i, step in enumerate(one.layers):
        y = step.expected(signs)
        if i < len(one.norms):
            gamma, beta, mean, _ = (value[:, None, None] for value in one.norms[i])
            signs = reference.sign((y - mean) * gamma + beta)
    return y
