"""The patterns by which the passes recognise a tensor of signs, its padding, its pooling and its convolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tvm import relax

from b2nn_tvm.costs.eligibility import FEWEST_GROUP_CHANNELS
from b2nn_tvm.relax_query import Definition, constant, dtype, ints, op_name, shape

# Operators that only move values, or pick among them in an order-preserving way.
MOVES = ("relax.permute_dims", "relax.reshape", "relax.nn.max_pool2d", "relax.nn.pad")


@dataclass(frozen=True, eq=False)
class Pad:
    """A constant nn.pad: widths as (before, after) per axis."""

    data: relax.Expr
    widths: tuple[tuple[int, int], ...]
    value: float


def is_signed(expr: relax.Expr, definition: Definition) -> bool:
    """Whether ``expr`` is R.sign, or R.sign behind operators that move its values."""
    call = definition(expr)
    while op_name(call) in MOVES:
        call = definition(call.args[0])
    return op_name(call) == "relax.sign"


def match_pad(expr: relax.Expr) -> Pad | None:
    """The parts of an nn.pad with a constant value, None for anything else."""
    if op_name(expr) != "relax.nn.pad" or str(expr.attrs.pad_mode) != "constant":
        return None
    flat = ints(expr.attrs.pad_width)
    return Pad(expr.args[0], tuple(zip(flat[::2], flat[1::2])), float(expr.attrs.pad_value))


@dataclass(frozen=True, eq=False)
class PooledSigns:
    """Max-pooled signs (NHWC): ``sign`` is the call before the pooling, ``flips`` [C] is -1 where the pooled sign is
    inverted.
    """

    pool: relax.Call
    sign: relax.Call
    flips: np.ndarray


def match_pooled_signs(expr: relax.Expr, definition: Definition) -> PooledSigns | None:
    """The parts of ``[multiply by -1 or +1 per channel](max_pool2d(sign))`` in NHWC, None for anything else."""
    call, flips = definition(expr), np.ones(1, np.float32)
    if (
        op_name(call) == "relax.multiply"
        and (factor := constant(call.args[1])) is not None
        and (np.abs(factor) == 1).all()
    ):
        call, flips = definition(call.args[0]), factor.reshape(-1)
    if op_name(call) != "relax.nn.max_pool2d" or str(call.attrs.layout) != "NHWC":
        return None
    sign, channels = definition(call.args[0]), shape(call)[3:]
    if op_name(sign) != "relax.sign" or flips.size not in (1, *channels):
        return None
    return PooledSigns(call, sign, np.broadcast_to(flips, channels))


def make_pad(data: relax.Expr, widths: tuple[tuple[int, int], ...], value: float) -> relax.Expr:
    """nn.pad with a constant value."""
    return relax.op.nn.pad(data, [w for pair in widths for w in pair], "constant", value)


def spatial_axes(layout: str) -> tuple[int, int]:
    """The positions of height and width in a layout such as NCHW or NHWC."""
    return layout.index("H"), layout.index("W")


def oihw(weight: np.ndarray, layout: str) -> np.ndarray:
    """Convolution weights of any plain layout as [O, I, H, W]."""
    return weight.transpose([layout.index(axis) for axis in "OIHW"])


def has_binary_groups(call: relax.Call) -> bool:
    """Whether a convolution has no groups, or groups of so many channels that each can be a binary convolution."""
    groups = int(call.attrs.groups)
    channels = shape(call.args[0])[str(call.attrs.data_layout).index("C")]
    return groups == 1 or channels // groups >= FEWEST_GROUP_CHANNELS


def has_binary_weights(call: relax.Call, weight: np.ndarray | None) -> bool:
    """Whether a float32 convolution, not depthwise, has several weights [O, I, H, W] per filter, all -1 and +1."""
    if weight is None or is_depthwise(call, weight) or dtype(call) != "float32":
        return False
    return weight[0].size > 1 and all_signs(weight)


def is_depthwise(call: relax.Call, weight: np.ndarray) -> bool:
    """Whether each filter of the weights [O, I, H, W] reads one channel of several: such weights are few."""
    return int(call.attrs.groups) != 1 and weight.shape[1] == 1


def all_signs(weight: np.ndarray) -> bool:
    """Whether all values are -1 and +1; the first ones of most layers tell that they are not."""
    return all(bool((np.abs(part) == 1).all()) for part in (weight[:1], weight))


def is_binary_conv(call: relax.Expr, definition: Definition) -> bool:
    """Whether a call is a convolution in canonical form: signs, padded with 0, -1 or +1, by weights of -1 and +1."""
    if op_name(call) != "relax.nn.conv2d" or dtype(call) != "float32" or not has_binary_groups(call):
        return False
    weight = constant(call.args[1])
    if weight is None or not all_signs(weight):
        return False
    data = definition(call.args[0])
    pad = match_pad(data)
    signs = data if pad is None else definition(pad.data)
    if op_name(signs) != "relax.sign" and match_pooled_signs(signs, definition) is None:
        return False
    if pad is None:
        return True
    spatial = spatial_axes(str(call.attrs.data_layout))
    return (
        abs(pad.value) == 1
        and not any(ints(call.attrs.padding))
        and all(w == (0, 0) for axis, w in enumerate(pad.widths) if axis not in spatial)
    )
