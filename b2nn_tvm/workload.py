"""The workload of a convolution: its shape, and the frozen word for it that search and compiler share."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass

from b2nn_tvm.errors import InputError

_NUMBERS = r"(\d+(?:x\d+)*)"
_SAME_LAYER = ("in_channels", "out_channels", "kernel", "stride", "padding", "dilation", "groups")
_KEY = re.compile("conv2d_" + "_".join(word + _NUMBERS for word in "nchwokspdg"))


@dataclass(frozen=True)
class ConvWorkload:
    """A 2-D convolution: input [batch, in_channels, in_height, in_width], weights [out_channels, in_channels/groups,
    *kernel].

    ``padding`` is (top, left, bottom, right) in pixels; ``kernel``, ``stride`` and ``dilation`` are (height, width).
    """

    batch: int
    in_channels: int
    in_height: int
    in_width: int
    out_channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def out_height(self) -> int:
        reach = self.dilation[0] * (self.kernel[0] - 1) + 1
        return (self.in_height + self.padding[0] + self.padding[2] - reach) // self.stride[0] + 1

    @property
    def out_width(self) -> int:
        reach = self.dilation[1] * (self.kernel[1] - 1) + 1
        return (self.in_width + self.padding[1] + self.padding[3] - reach) // self.stride[1] + 1

    @property
    def weights(self) -> int:
        """Number of weights."""
        return self.out_channels * (self.in_channels // self.groups) * math.prod(self.kernel)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return self.batch * self.out_height * self.out_width * self.weights

    @property
    def key(self) -> str:
        """The workload as one word, the same on every machine and in every file."""
        return (
            f"conv2d_n{self.batch}_c{self.in_channels}_h{self.in_height}_w{self.in_width}_o{self.out_channels}"
            f"_k{_word(self.kernel)}_s{_word(self.stride)}_p{_word(self.padding)}_d{_word(self.dilation)}"
            f"_g{self.groups}"
        )

    @classmethod
    def parse(cls, key: str) -> ConvWorkload:
        """The workload of a ``key``; raises InputError where ``key`` is none."""
        found = _KEY.fullmatch(key)
        words = [tuple(map(int, word.split("x"))) for word in found.groups()] if found else []
        if [len(numbers) for numbers in words] != [1, 1, 1, 1, 1, 2, 2, 4, 2, 1]:
            raise InputError(f"{key!r} is no workload; expected a word such as {cls(1, 16, 32, 32, 16, (3, 3)).key}")
        batch, channels, height, width, outputs, *geometry, groups = itertools.chain(*words)
        kernel_y, kernel_x, stride_y, stride_x, top, left, bottom, right, dilation_y, dilation_x = geometry
        return cls(
            batch,
            channels,
            height,
            width,
            outputs,
            kernel=(kernel_y, kernel_x),
            stride=(stride_y, stride_x),
            padding=(top, left, bottom, right),
            dilation=(dilation_y, dilation_x),
            groups=groups,
        )


def differences(planned: ConvWorkload, here: ConvWorkload) -> str:
    """How two convolutions differ, but for the batch and the size of the image, in words; "" where they do not."""
    pairs = ((name, getattr(planned, name), getattr(here, name)) for name in _SAME_LAYER)
    return ", ".join(
        f"{name.replace('_', ' ')} {_text(was)} there, {_text(now)} here" for name, was, now in pairs if was != now
    )


def _text(value: int | tuple[int, ...]) -> str:
    return str(value) if isinstance(value, int) else _word(value)


def _word(numbers: tuple[int, ...]) -> str:
    return "x".join(map(str, numbers))
