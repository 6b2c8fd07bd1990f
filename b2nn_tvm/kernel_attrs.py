"""The attributes by which operators, passes, schedules and code generation know a kernel and its blocks.

A kernel is a PrimFunc. Its attributes state its role and the duties of its caller; the annotations of a block state the
block's computation and layout, so that a schedule finds the block however it was fused. No code may recognise a kernel
by its name, which is for people: TVM joins the names of the functions that it fuses, and numbers them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from b2nn_tvm.workload import ConvWorkload

# ---- attributes of a module

SIGN_MEANING = "b2nn.sign"  # "binary" while R.sign is +1 at zero, not 0 as TVM has it
# The operations and the role of each function, by its name, until the functions themselves can carry both.
NOTED_OPERATIONS, NOTED_ROLES = "b2nn.noted_operations", "b2nn.noted_roles"

# ---- attributes of a function

ROLE = "b2nn.role"
OPERATIONS = "b2nn.operations"  # the operations that were fused into it, in order, in the words that tables show
PADDING = "b2nn.padding"  # of a function that packs whole images: (top, left, bottom, right, pad value)
PAD = "b2nn.pad"  # of a function that does nothing but pad an image: (top, left, bottom, right)
BORDER = "b2nn.border"  # of a function that has to fill the border of its last output: (top, left, bottom, right)
PAD_VALUE = "b2nn.pad_value"  # the whole number that PAD or BORDER is about; 0 where a function has no such attribute
# Of a function that writes its last output inside a border (top, left, bottom, right) of zeros, not touched by it.
BORDERED = "b2nn.bordered_output"
GEOMETRY = "b2nn.geometry"  # of a function whose loops are written by hand: numbers by name, for its schedule


class Role(StrEnum):
    """The purpose of a function. A function that was fused from several ones has the first of these roles that any of
    them has.
    """

    CONVOLUTION = "convolution"
    DEPTHWISE_CONVOLUTION = "depthwise convolution"
    DENSE = "dense"
    PACK_SIGNS = "pack signs"
    POOL_BITS = "pool bits"
    COUNT_BITS = "count bits"
    PAD_INPUT = "pad input"
    EXPAND_WEIGHTS = "expand weights"


class Operation(StrEnum):
    """The words of OPERATIONS on which decisions depend; all other words are for tables only."""

    PACK = "pack"
    PAD = "pad"
    POOL_BITS = "pool_bits"
    COUNT_BITS = "count_bits"
    UNPACK_WEIGHTS = "unpack weights"


def role_of(attrs: Mapping[str, Any] | None) -> Role | None:
    """The role in a function's attributes; None where it has no role, or no attributes (``attrs`` is None)."""
    value = (attrs or {}).get(ROLE)
    return None if value is None else Role(str(value))


def role_of_fused(roles: set[Role | None]) -> Role | None:
    """The role of a function that was fused from functions with these ``roles``."""
    return next((role for role in Role if role in roles), None)


def pad_value_of(attrs: Mapping[str, Any] | None) -> int:
    """The number with which a function pads, or fills its border."""
    return int((attrs or {}).get(PAD_VALUE, 0))


def operations_of(attrs: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The operations in a function's attributes."""
    return tuple(map(str, (attrs or {}).get(OPERATIONS, ())))


def geometry_of(attrs: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The numbers in a function's GEOMETRY, single ones as tuples of one."""
    numbers = attrs[GEOMETRY].items()
    return {str(k): (int(v),) if isinstance(v, int) else tuple(map(int, v)) for k, v in numbers}


# ---- annotations of a block

_OP, _WORKLOAD = "b2nn.op", "b2nn.workload"
_LANES, _GROUPS, _TILE_SIZE, _CHANNELS = "b2nn.lanes", "b2nn.groups", "b2nn.m", "b2nn.channels"
_FULL_RANGE, _TAPS = "b2nn.full_range", "b2nn.taps"
_STRIDE, _DILATION = ("b2nn.stride_h", "b2nn.stride_w"), ("b2nn.dilation_h", "b2nn.dilation_w")


class Op(StrEnum):
    """The computation of a block. Records of tuned tiles hold these words."""

    CONV2D = "conv2d"
    DEPTHWISE_CONV2D = "depthwise_conv2d"
    DENSE = "dense"
    INT8_CONV2D = "int8_conv2d"
    INT8_DEPTHWISE_CONV2D = "int8_depthwise_conv2d"
    INT8_WINOGRAD_CONV2D = "int8_winograd_conv2d"
    BCONV2D_WORDS = "bconv2d_words"
    BCONV2D_BYTES = "bconv2d_bytes"
    BCONV2D_LOOKUP = "bconv2d_lookup"
    BCONV2D_PAIRS = "bconv2d_pairs"
    BCONV2D_LOOKUPS = "bconv2d_lookups"
    BCONV2D_SHORT = "bconv2d_short"
    WINOGRAD_CONV2D = "winograd_conv2d"
    WINOGRAD_HALF_INPUT = "winograd_half_input"
    WINOGRAD_INPUT = "winograd_input"
    WINOGRAD_HALF_OUTPUT = "winograd_half_output"
    PACK_SIGNS = "pack_signs"
    PACK_INTERIOR = "pack_interior"
    POOL_BITS = "pool_bits"
    EXPAND_WEIGHTS = "expand_weights"
    EXPAND_HALF_WEIGHTS = "expand_half_weights"


BINARY_SUMS = frozenset({Op.BCONV2D_WORDS, Op.BCONV2D_BYTES, Op.BCONV2D_LOOKUP})
# The blocks by which a function is tiled: every layer has one of them, whatever other blocks stand around it.
ANCHORS = BINARY_SUMS | {Op.CONV2D, Op.DEPTHWISE_CONV2D, Op.DENSE, Op.WINOGRAD_CONV2D}
ANCHORS |= {Op.INT8_CONV2D, Op.INT8_DEPTHWISE_CONV2D, Op.INT8_WINOGRAD_CONV2D}


@dataclass(frozen=True)
class Window:
    """The stride and the dilation of a convolution's windows, as (height, width) each."""

    stride: tuple[int, int]
    dilation: tuple[int, int]


def mark(
    op: Op,
    workload: ConvWorkload | str,
    *,
    lanes: int | None = None,
    groups: int | None = None,
    tile_size: int | None = None,
    channels: int | None = None,
    taps: int | None = None,
    window: bool = False,
    full_range: bool = False,
) -> dict[str, str | int]:
    """The annotations of a block: its computation, the key of its workload, and the numbers of the layout that its
    schedule needs.

    ``lanes`` is the vector width of its output channels, ``tile_size`` the m of Winograd's F(m x m, 3 x 3),
    ``channels`` the number of channels in a packed word, ``taps`` the taps of a depthwise filter that lie side by side;
    ``window`` adds the stride and the dilation of a ConvWorkload;
    ``full_range`` says that some weight of 8 bits is -128.
    """
    key = workload if isinstance(workload, str) else workload.key
    numbers = {_LANES: lanes, _GROUPS: groups, _TILE_SIZE: tile_size, _CHANNELS: channels, _TAPS: taps}
    if window and isinstance(workload, ConvWorkload):
        numbers |= zip((*_STRIDE, *_DILATION), (*workload.stride, *workload.dilation), strict=True)
    if full_range:
        numbers[_FULL_RANGE] = 1
    return {_OP: str(op), _WORKLOAD: key, **{name: value for name, value in numbers.items() if value is not None}}


def op_of(annotations: Mapping[str, Any]) -> Op | None:
    """The computation of a block; None where the block has no mark."""
    value = annotations.get(_OP)
    return None if value is None else Op(_text(value))


def workload_of(annotations: Mapping[str, Any]) -> str:
    """The workload key of a marked block."""
    return _text(annotations[_WORKLOAD])


def lanes_of(annotations: Mapping[str, Any]) -> int:
    """The vector width of an anchor's output channels."""
    return int(annotations[_LANES])


def groups_of(annotations: Mapping[str, Any]) -> int:
    """The groups of a convolution; 1 where its mark names none."""
    return int(annotations.get(_GROUPS, 1))


def full_range_of(annotations: Mapping[str, Any]) -> bool:
    """Whether some weight of 8 bits is -128."""
    return _FULL_RANGE in annotations


def taps_of(annotations: Mapping[str, Any]) -> int:
    """The taps of a depthwise filter that lie side by side; 1 where the mark of a block names none."""
    return int(annotations.get(_TAPS, 1))


def tile_size_of(annotations: Mapping[str, Any]) -> int:
    """The m of a Winograd convolution's F(m x m, 3 x 3)."""
    return int(annotations[_TILE_SIZE])


def packed_channels_of(annotations: Mapping[str, Any]) -> int:
    """The number of channels in a word of a block that packs."""
    return int(annotations[_CHANNELS])


def window_of(annotations: Mapping[str, Any]) -> Window:
    """Stride and dilation of a convolution that was marked with its window."""
    (sh, sw), (dh, dw) = ((int(annotations[name]) for name in names) for names in (_STRIDE, _DILATION))
    return Window((sh, sw), (dh, dw))


def _text(value: Any) -> str:
    """The Python string of a string in an annotation, which TVM wraps."""
    return str(getattr(value, "value", value))
