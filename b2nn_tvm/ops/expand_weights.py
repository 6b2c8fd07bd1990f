"""Expand weights of -1 and +1, which are stored as bits, to floats in the layout of a float convolution's kernel.

    direct     w[o, kh, kw, c, lane] = +1 where bit c * lanes + lane of bits[o, kh, kw] is 1, else -1
    Winograd   G w G^T of these weights (ops/winograd_conv2d.py), whose values are exact quarters

The bits lie in the order of the floats, so that a word is broadcast and each lane tests its own bit.
"""

from __future__ import annotations

import numpy as np
from tvm import te, tirx
from tvm.tirx import Expr, Var

from b2nn_tvm.kernel_attrs import Op, mark
from b2nn_tvm.ops.bit_layout import pack_channels
from b2nn_tvm.ops.winograd_conv2d import FILTER, combine


def expand_weights(bits: te.Tensor, *, channels: int, lanes: int) -> te.Tensor:
    """float32 [O / lanes, kh, kw, C, lanes] of -1 and +1, as from ``ops.conv2d.pack_weights``; bits from
    ``pack_bits``.
    """
    blocks, kernel_height, kernel_width, _ = (int(extent) for extent in bits.shape)
    return te.compute(
        (blocks, kernel_height, kernel_width, channels, lanes),
        lambda o, kh, kw, c, lane: _sign(bits, (o, kh, kw), c, lane, lanes),
        name="expand_weights",
        attrs=mark(Op.EXPAND_WEIGHTS, ""),
    )


def expand_winograd_weights(bits: te.Tensor, *, channels: int, lanes: int, m: int) -> te.Tensor:
    """float32 [m + 2, m + 2, O / lanes, C, lanes], as from ``transform_weights``; bits [O / lanes, 3, 3, words]."""
    blocks, size = int(bits.shape[0]), m + 2
    half = te.compute(
        (size, 3, blocks, channels, lanes),
        lambda i, s, o, c, lane: combine(FILTER[m], i, lambda r: _sign(bits, (o, r, s), c, lane, lanes)),
        name="expand_half_weights",
        attrs=mark(Op.EXPAND_HALF_WEIGHTS, ""),
    )
    return te.compute(
        (size, size, blocks, channels, lanes),
        lambda i, j, o, c, lane: combine(FILTER[m], j, lambda s: half[i, s, o, c, lane]),
        name="expand_weights",
        attrs=mark(Op.EXPAND_WEIGHTS, ""),
    )


def pack_bits(weight: np.ndarray) -> np.ndarray:
    """Words [O / lanes, kh, kw, ceil(C * lanes / word bits)] of weight [O / lanes, kh, kw, C, lanes]; a bit is 1
    where it is > 0.
    """
    *outer, channels, lanes = weight.shape
    return pack_channels(weight.reshape(*outer, channels * lanes), word=f"uint{_word_bits(lanes)}")


def _sign(bits: te.Tensor, tap: tuple[Expr, Expr, Expr], c: Var, lane: Var, lanes: int) -> Expr:
    together = _word_bits(lanes) // lanes  # input channels of a word
    word = bits[(*tap, c // together)].astype("uint32") >> (c % together * lanes).astype("uint32")
    bit = tirx.const(1, "uint32") << lane.astype("uint32")
    return tirx.Select((word & bit) != tirx.const(0, "uint32"), tirx.const(1, "float32"), tirx.const(-1, "float32"))


def _word_bits(lanes: int) -> int:
    return max(8, lanes)
