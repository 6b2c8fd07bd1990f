"""The geometry of windows over images: explicit padding in place of auto_pad."""

from __future__ import annotations

from collections.abc import Sequence

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.operators.node import Attrs, word

MODES = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


def auto_pad(attrs: Attrs) -> str:
    """The attribute auto_pad; raises InputError where it is none of ONNX's words."""
    mode = word(attrs, "auto_pad", "NOTSET")
    if mode not in MODES:
        raise InputError(f"auto_pad is NOTSET, VALID, SAME_UPPER or SAME_LOWER, not {mode!r}")
    return mode


def explicit_padding(
    attrs: Attrs, sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[int]:
    """The padding of a convolution or pooling over ``sizes`` in ONNX's order: all pixels before, then all after."""
    mode = auto_pad(attrs)
    if mode == "NOTSET":
        return list(attrs.get("pads", (0,) * (2 * len(sizes))))
    if mode == "VALID":
        return [0] * (2 * len(sizes))
    totals = [
        max(0, (-(-size // stride) - 1) * stride + dilation * (taps - 1) + 1 - size)
        for size, taps, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True)
    ]
    return split(totals, mode)


def split(totals: Sequence[int], mode: str) -> list[int]:
    """Paddings per axis, divided into all those before and all those after; an odd pixel goes behind for SAME_UPPER."""
    behind = [total - total // 2 if mode == "SAME_UPPER" else total // 2 for total in totals]
    return [total - after for total, after in zip(totals, behind, strict=True)] + behind
