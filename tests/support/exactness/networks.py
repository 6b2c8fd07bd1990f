"""Networks of unconnected cells, a binary convolution and what stands behind it: all shapes by all kinds of output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

import numpy as np

from b2nn_tvm import reference
from b2nn_tvm.workload import ConvWorkload
from tests.support.exactness.kinds import BITS, BOTH, OTHERS, Kind
from tests.support.exactness.tracer import Tracer, Value
from tests.support.networks.binary_networks import CHANNELS, KERNELS, VARIANTS, Layer, activations, input_shape, layer

PARTS = 3  # networks of one kernel size, each with a third of the numbers of channels


def cells(kernel: int, part: int) -> Iterator[tuple[Layer, Mapping[str, Kind]]]:
    """Every number of channels with every stride, dilation and padding value.

    Behind a third of these shapes stand all kinds of BITS, behind a third all of BOTH, because they share their code;
    behind the rest stand the others in turn.
    """
    turns = list(OTHERS.items())
    for position, channels in enumerate(CHANNELS):
        if position % PARTS != part:
            continue
        for variant in range(len(VARIANTS)):
            group = (position // PARTS + variant + variant // 3 + kernel) % 3
            name, kind = turns[(4 * position + variant // 3 + 7 * kernel) % len(turns)]
            size = (7, 6) if variant % 4 == 0 else (9, 8)  # one for each batch: fewer packings to compile
            yield layer(channels, kernel, variant, size=size), (BITS, BOTH, {name: kind})[group]


def chosen_cells(kernel: int) -> Iterator[tuple[Layer, Mapping[str, Kind]]]:
    """Of one part, another one for each kernel size, those that show most: all kinds that are code of their own, and
    BITS and BOTH behind a third of the strides, dilations and padding values, which the kernel sizes share out.

    The three sizes together have every number of channels, and every kind of output with every stride, dilation and
    padding value.
    """
    turn = KERNELS.index(kernel)
    for one, kinds in cells(kernel, turn % PARTS):
        variant = VARIANTS.index((one.workload.stride[0], one.workload.dilation[0], one.pad_value))
        if (kinds is not BITS and kinds is not BOTH) or (variant + 2 * (variant // 3) + turn) % 3 == 0:
            yield one, kinds


@cache
def cross_product(kernel: int, part: int, seed: int) -> Tracer:
    """The network of the cells of a part."""
    return _network(cells(kernel, part), seed)


@cache
def chosen(kernel: int, seed: int) -> Tracer:
    """The network of the chosen cells."""
    return _network(chosen_cells(kernel), seed)


# Channels and kernels around the largest sums of 8 and of 16 bits: 31 bytes and 65,535 bits, and beyond them.
LARGE = ((248, 1), (256, 1), (249, 3), (2040, 1), (3072, 1), (3072, 3), (3072, 5), (7281, 3), (7282, 3))


@cache
def large_sums(seed: int) -> Tracer:
    """Convolutions of which some filters agree with the input in all bits, and some in none."""
    t = Tracer(seed)
    builder = CellBuilder(t)
    kinds = {
        name: {**BITS, **BOTH, **OTHERS}[name]
        for name in ("integers", "batch norm, sign", "batch norm; learned threshold")
    }
    for channels, kernel in LARGE:
        workload = ConvWorkload(1, channels, 6, 7, 17, (kernel, kernel), (1, 2), (0, 0, 1, 0))
        signs = reference.sign(np.random.default_rng(channels).standard_normal((1, channels, 1, 1)))
        x = np.broadcast_to(signs, input_shape(workload)).astype(np.float32)
        builder.feed(x)
        weight = reference.sign(np.random.default_rng(kernel).standard_normal((17, channels, kernel, kernel)))
        weight[0::5], weight[1::5] = signs, -signs
        for pad_value in (0, 1):
            builder.add(
                Layer(workload, pad_value, weight, np.zeros((channels, 1, 1), np.float32)), kinds, random_weights=False
            )
    return t


# kernel, stride, (top, left, bottom, right), dilation
RECTANGLES = (
    ((1, 7), (1, 1), (0, 3, 0, 3), (1, 1)),
    ((7, 1), (2, 1), (3, 0, 3, 0), (1, 1)),
    ((4, 2), (1, 2), (2, 0, 1, 1), (1, 2)),
    ((2, 2), (2, 2), (0, 0, 0, 0), (1, 1)),
    ((3, 5), (3, 1), (4, 0, 0, 5), (2, 1)),
    ((7, 7), (2, 2), (3, 3, 3, 3), (1, 1)),
    ((11, 3), (1, 3), (5, 1, 5, 1), (1, 1)),
)


@cache
def rectangles(seed: int) -> Tracer:
    """Kernels that are not square, or large; images that are a row, a column or a pixel; BITS and BOTH in turn."""
    t = Tracer(seed)
    builder = CellBuilder(t)
    for index, (kernel, stride, padding, dilation) in enumerate(RECTANGLES):
        channels, outputs = (24, 40, 7, 130)[index % 4], (40, 24, 64, 5)[index % 4]
        workload = ConvWorkload(1, channels, 11, 10, outputs, kernel, stride, padding, dilation)
        builder.add(Layer(workload, index % 3 - 1, *_parameters(workload)), (BITS, BOTH)[index % 2])
    for index, (height, width) in enumerate(((1, 13), (13, 1), (1, 1))):
        workload = ConvWorkload(2, 40, height, width, 72, (3, 3), (1, 1), (1, 1, 1, 1))
        builder.add(Layer(workload, 0, *_parameters(workload)), (BITS, BOTH)[index % 2])
    return t


FEATURES = (1, 31, 64, 129, 3072)
DENSE = ("integers", "scale", "relu", "residual", "scale; sign")


@cache
def dense(seed: int) -> Tracer:
    """Dense layers, of which no word is full, some are, and all are; kinds of output take turns."""
    t = Tracer(seed)
    turns = BITS, {name: OTHERS[name] for name in DENSE}
    for turn, (batch, outputs) in enumerate(((1, 33), (3, 64))):
        for place, features in enumerate(FEATURES):
            kinds = turns[(turn + place) % 2]
            x = t.input(activations((batch, features), seed + features))
            for index, (name, kind) in enumerate(kinds.items()):
                t.constants = np.random.default_rng([features, index])
                y = t.dense(t.learned_sign(x), outputs)
                for value in kind(t, y):
                    t.output(value, f"dense {batch} x {features} -> {outputs}: {name}")
    return t


class CellBuilder:
    """Adds cells to a network; those with inputs of one shape read the same input."""

    def __init__(self, tracer: Tracer):
        self._tracer = tracer
        self._inputs: dict[tuple[int, ...], Value] = {}

    def feed(self, x: np.ndarray) -> Value:
        """The input of all cells of x's shape: this, or what was fed or drawn before."""
        if x.shape not in self._inputs:
            self._inputs[x.shape] = self._tracer.input(x)
        return self._inputs[x.shape]

    def add(self, one: Layer, kinds: Mapping[str, Kind], *, random_weights: bool = True) -> None:
        """One cell for each kind, each with weights of its own, unless they are to be those of the layer."""
        t, shape = self._tracer, input_shape(one.workload)
        x = self._inputs.get(shape) or self.feed(activations(shape, int(t.data.integers(1 << 30))))
        for name, kind in kinds.items():
            t.constants = np.random.default_rng([*shape, *one.workload.kernel, one.pad_value + 1, *name.encode()])
            weight = reference.sign(t.constants.standard_normal(one.weight.shape)) if random_weights else one.weight
            y = t.conv(t.sign(x, one.threshold), one.with_weight(weight))
            for value in kind(t, y):
                t.output(value, f"{one.workload.key} padded with {one.pad_value}: {name}")


def _network(of: Iterable[tuple[Layer, Mapping[str, Kind]]], seed: int) -> Tracer:
    t = Tracer(seed)
    builder = CellBuilder(t)
    for one, kinds in of:
        builder.add(one, kinds)
    return t


def _parameters(workload: ConvWorkload) -> tuple[np.ndarray, np.ndarray]:
    """Random signs and thresholds."""
    rng = np.random.default_rng([workload.in_channels, *workload.kernel])
    weight = reference.sign(rng.standard_normal((workload.out_channels, workload.in_channels, *workload.kernel)))
    return weight, rng.choice(np.array([0, 0.5, -0.25], np.float32), (workload.in_channels, 1, 1))
