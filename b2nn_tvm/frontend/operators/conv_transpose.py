"""ConvTranspose of one or two axes: an ordinary convolution that computes all pixels between two of its input, which
are then put in their places.

    y[o, q s + r] = sum over i, t with t d = e s + r of x[i, q - e] w[i, o, t]

For each remainder r of the stride s, this is a convolution of stride 1, with the taps t of that remainder. One
convolution computes all remainders as output channels, and a transpose interleaves them (Shi et al., "Is the
deconvolution layer the same as a convolutional layer?", 2016). So it runs on the kernels of convolutions. TVM's own
converter ignores output_shape, and its operator has no kernel in channels-last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tvm import relax

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.frontend.operators.conv import add_bias
from b2nn_tvm.frontend.operators.node import Attrs, Inputs, const, given, sizes
from b2nn_tvm.frontend.operators.spatial import auto_pad, split
from b2nn_tvm.relax_query import constant


@dataclass(frozen=True)
class Axis:
    """One axis of a transposed convolution: the stride s, the dilation d, the number of taps, and which part of the
    full result is wanted.
    """

    size: int
    stride: int
    dilation: int
    taps: int
    first: int
    wanted: int

    @property
    def reach(self) -> int:
        """The number of taps of the ordinary convolution."""
        return (self.taps - 1) * self.dilation // self.stride + 1

    @property
    def skipped(self) -> int:
        """How many of the ordinary convolution's pixels in front are not computed."""
        return min(self.first // self.stride, self.reach - 1)

    @property
    def padding(self) -> tuple[int, int]:
        """The padding of the ordinary convolution, before and after."""
        computed = -(-(self.first + self.wanted) // self.stride) - self.skipped
        before = self.reach - 1 - self.skipped
        return before, max(0, computed - self.size - before + self.reach - 1)

    def places(self) -> list[tuple[int, int]]:
        """The remainder and the place in the ordinary kernel of each tap."""
        return [
            (tap * self.dilation % self.stride, self.reach - 1 - tap * self.dilation // self.stride)
            for tap in range(self.taps)
        ]


def conv_transpose(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """A transposed convolution over lines or images by constant weights; TVM takes the others, with explicit padding.

    Raises UnsupportedError for weights that are computed at run time, or three axes, together with output_shape.
    """
    x, weight = inputs[0], constant(inputs[1])
    axes = _axes(attrs, sizes(x)[2:], sizes(inputs[1])[2:])
    if weight is None or len(axes) > 2:
        if attrs.pop("output_shape", None):
            raise UnsupportedError(
                "its attribute output_shape is supported for constant weights and one or two axes only; give its "
                "padding as pads and output_padding instead"
            )
        return None
    if len(axes) == 1:  # a line is an image of one row
        axes = [Axis(1, 1, 1, 1, 0, 1), *axes]
        x, weight = bb.emit(relax.op.expand_dims(x, 2)), weight[:, :, None]
    result = interleaved(bb, x, weight, attrs.get("group", 1), axes, given(inputs, 2))
    return relax.op.squeeze(bb.emit(result), [2]) if len(sizes(inputs[0])) == 3 else result


def _axes(attrs: Attrs, lengths: Sequence[int], kernel: Sequence[int]) -> list[Axis]:
    """The axes of a node over ``lengths``; its padding is written into ``attrs`` as TVM's converter takes it."""
    count = len(lengths)
    strides, dilations, extra = (
        list(attrs.get(name, (default,) * count))
        for name, default in (("strides", 1), ("dilations", 1), ("output_padding", 0))
    )
    full = [
        (size - 1) * stride + (taps - 1) * dilation + 1
        for size, stride, dilation, taps in zip(lengths, strides, dilations, kernel, strict=True)
    ]
    mode, shape = auto_pad(attrs), list(attrs.get("output_shape") or ())[-count:]
    if not shape and mode in ("SAME_UPPER", "SAME_LOWER"):
        shape = [size * stride for size, stride in zip(lengths, strides, strict=True)]
    if shape:
        totals = [max(0, size + more - out) for size, more, out in zip(full, extra, shape, strict=True)]
        pads, wanted = split(totals, mode), shape
    else:
        pads = [0] * (2 * count) if mode == "VALID" else list(attrs.get("pads") or (0,) * (2 * count))
        wanted = [
            size + more - before - after
            for size, more, before, after in zip(full, extra, pads[:count], pads[count:], strict=True)
        ]
    if min(wanted) < 1 or min(pads) < 0:
        raise InputError(f"its result would be of the size {wanted} with the padding {pads}")
    attrs.pop("auto_pad", None)
    attrs["pads"] = pads
    return [Axis(*of_axis) for of_axis in zip(lengths, strides, dilations, kernel, pads[:count], wanted, strict=True)]


def interleaved(
    bb: relax.BlockBuilder,
    x: relax.Expr,
    weight: np.ndarray,
    groups: int,
    axes: Sequence[Axis],
    bias: relax.Expr | None,
) -> relax.Expr:
    """The transposed convolution of an image ``x`` by ``weight`` [C, O / groups, kh, kw], with the two ``axes``."""
    rows, columns = axes
    channels, per_group = weight.shape[:2]
    between = rows.stride * columns.stride
    kernel = np.zeros(
        (groups, per_group, rows.stride, columns.stride, channels // groups, rows.reach, columns.reach), weight.dtype
    )
    grouped = weight.reshape(groups, channels // groups, per_group, *weight.shape[2:])
    for a, (row, down) in enumerate(rows.places()):
        for b, (column, right) in enumerate(columns.places()):
            kernel[:, :, row, column, :, down, right] = grouped[..., a, b].transpose(0, 2, 1)
    outputs = groups * per_group
    kernel = kernel.reshape(outputs * between, channels // groups, rows.reach, columns.reach)
    (top, bottom), (left, right) = rows.padding, columns.padding
    result = bb.emit(
        relax.op.nn.conv2d(
            x,
            const(kernel),
            padding=[top, left, bottom, right],
            groups=groups,
            data_layout="NCHW",
            kernel_layout="OIHW",
        )
    )
    if bias is not None:
        value = constant(bias)
        repeated = bb.emit(relax.op.repeat(bias, between, 0)) if value is None else const(np.repeat(value, between))
        result = bb.emit(add_bias(result, repeated))
    batch, _, height, width = sizes(result)
    if between > 1:
        apart = bb.emit(relax.op.reshape(result, (batch, outputs, rows.stride, columns.stride, height, width)))
        moved = bb.emit(relax.op.permute_dims(apart, [0, 1, 4, 2, 5, 3]))
        result = bb.emit(relax.op.reshape(moved, (batch, outputs, height * rows.stride, width * columns.stride)))
    return _cropped(bb, result, [(axis.first - axis.skipped * axis.stride, axis.wanted) for axis in axes])


def _cropped(bb: relax.BlockBuilder, x: relax.Expr, parts: Sequence[tuple[int, int]]) -> relax.Expr:
    """The (first, number of) rows and columns of an image [N, C, H, W]."""
    cut = [axis for axis, part in zip((2, 3), parts, strict=True) if part != (0, sizes(x)[axis])]
    if not cut:
        return x
    begin = [parts[axis - 2][0] for axis in cut]
    end = [sum(parts[axis - 2]) for axis in cut]
    return bb.emit(relax.op.strided_slice(x, cut, begin, end))
