"""The convolutions on which other engines are asked for their opinion of reference.py."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from b2nn_tvm import reference
from b2nn_tvm.workload import ConvWorkload

OUTPUTS = (1, 3, 16, 33, 64)
SHAPES = tuple(
    itertools.product(((1, 1), (3, 3), (5, 5), (2, 3)), ((1, 1), (2, 2), (1, 2), (2, 1)), ((1, 1), (2, 2), (2, 1)))
)


@dataclass(frozen=True)
class Case:
    """A float32 input [N, C, H, W], signs as weights [O, C, kh, kw], and how the one is convolved with the other."""

    workload: ConvWorkload
    pad_value: int
    x: np.ndarray
    weight: np.ndarray

    @property
    def name(self) -> str:
        return f"{self.workload.key} padded with {self.pad_value}"

    def expected(self) -> np.ndarray:
        """int32 [N, O, H', W'] by reference.py."""
        w = self.workload
        return reference.binary_conv2d(
            reference.sign(self.x),
            self.weight,
            stride=w.stride,
            padding=w.padding,
            dilation=w.dilation,
            pad_value=self.pad_value,
        )


def cases(channels: int, pad_values: Sequence[int], *, zeros: bool, same: bool, most: int = 4) -> Iterator[Case]:
    """Kernels, strides and dilations with each padding value; some values of x are 0 and -0.0 where ``zeros``.

    The padding is as lopsided as may be with at most so many pixels at each end, or TensorFlow's "SAME" (the odd pixel
    at the end) where ``same``; where the padding value is 0 it is nothing at all for every other shape.
    """
    for index, ((kernel, stride, dilation), pad_value) in enumerate(itertools.product(SHAPES, pad_values)):
        rng = np.random.default_rng([channels, index])
        outputs, batch, size = OUTPUTS[index % len(OUTPUTS)], 1 + 2 * (index % 2), (10, 9)
        if pad_value == 0 and index // len(pad_values) % 2:
            padding = (0, 0, 0, 0)
        else:
            rows, columns = (
                _around(*extents, same=same, most=most) for extents in zip(size, kernel, stride, dilation, strict=True)
            )
            padding = (rows[0], columns[0], rows[1], columns[1])
        workload = ConvWorkload(batch, channels, *size, outputs, kernel, stride, padding, dilation)
        x = (rng.uniform(0.1, 1, (batch, channels, *size)) * rng.choice([-1, 1], (batch, channels, *size))).astype(
            np.float32
        )
        if zeros:
            x.flat[::5], x.flat[1::7] = 0.0, -0.0
        yield Case(workload, pad_value, x, reference.sign(rng.standard_normal((outputs, channels, *kernel))))


def _around(size: int, kernel: int, stride: int, dilation: int, *, same: bool, most: int) -> tuple[int, int]:
    """Pixels before and behind."""
    reach = (kernel - 1) * dilation
    if not same:
        return min(reach, most), min(reach // 2, most)
    total = max((-(-size // stride) - 1) * stride + reach + 1 - size, 0)
    return total // 2, total - total // 2
