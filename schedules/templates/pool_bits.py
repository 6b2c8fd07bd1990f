"""The loops that pool packed signs: see ops/pool_bits.py for the computation.

    for n, h (parallel):
        row = 0;  for k: row |= row k of the window    a whole image row at a time, in vectors over pixels and words
        for w: y = the OR of the pixels of the window in row, xor flips
    for n, r, q, c outside the image: y = the bits of the channels that exist, where the border is of ones

The loops are written by hand, because the combined row is wider than the image by its padding, which no schedule
primitive can express.
"""

from __future__ import annotations

from math import prod

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T
from tvm.tirx import Expr, Var

from b2nn_tvm.kernel_attrs import Op, mark
from b2nn_tvm.ops.bit_layout import word_bits
from b2nn_tvm.ops.pool_bits import PoolGeometry, existing_channels

PARALLEL_WORDS = 1 << 14  # words read; below, waking a second thread costs more than it saves
VECTOR_BITS = 512


def pool_bits_loops(function: tirx.PrimFunc) -> tirx.PrimFunc:
    """The loop nest of a function from ``ops.pool_bits``, with the same parameters and attributes."""
    geometry = PoolGeometry.of(function)
    x_type, _, y_type = (parameter.ty for parameter in function.params)
    shape, packed, word = tuple(map(int, x_type.shape)), tuple(map(int, y_type.shape)), str(y_type.dtype)
    batch, height, width, words = shape
    _, rows, columns, _ = packed
    (kh, kw), (sh, sw), (dh, dw) = geometry.kernel, geometry.stride, geometry.dilation
    (above, before), (out_height, out_width), (top, left, _, _) = geometry.before, geometry.image, geometry.border
    reach = max(before + width, (out_width - 1) * sw + (kw - 1) * dw + 1)  # pixels of a row, padding included
    # Words of a result row that lie side by side in the combined row, too.
    run = out_width * words if sw == 1 else words
    lanes, out_lanes = _lanes(width * words, word), _lanes(run, word)
    annotations = mark(Op.POOL_BITS, f"n{batch}_h{height}_w{width}_c{geometry.channels}")
    loop = T.parallel if prod(shape) >= PARALLEL_WORDS else T.serial

    def inside(h: Var, k: Var) -> Expr:
        return tirx.all(h * sh + k * dh >= above, h * sh + k * dh < above + height)

    def outside(r: Expr, q: Expr) -> Expr:
        return tirx.any(r < top, r >= top + out_height, q < left, q >= left + out_width)

    def widest(row: Var, at: Expr) -> Expr:
        value = row[at]
        for k in range(1, kw):
            value = value | row[at + k * dw * words]
        return value

    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("pool")
        x_ptr, flips_ptr, y_ptr = (T.arg(name, T.handle()) for name in ("x_ptr", "flips_ptr", "y_ptr"))
        T.func_attr(dict(function.attrs))
        x = T.match_buffer(x_ptr, shape, word)
        flips = T.match_buffer(flips_ptr, (words,), word)
        y = T.match_buffer(y_ptr, packed, word)
        with loop(batch * out_height) as nh, T.sblock("pool_bits"):
            n = T.axis.spatial(batch, nh // out_height)
            h = T.axis.spatial(out_height, nh % out_height)
            T.reads(x[n, 0:height, 0:width, 0:words], flips[0:words])
            T.writes(y[n, h + top, left : left + out_width, 0:words])
            T.sblock_attr(annotations)
            row = T.sblock_alloc_buffer((reach * words,), word)
            with T.serial(reach * words) as i:
                T.buffer_store(row, tirx.const(0, word), (i,))
            with (
                T.serial(kh) as k,
                T.If(inside(h, k)),
                T.Then(),
                T.grid(width * words // lanes) as i,
                T.vectorized(lanes) as lane,
            ):
                at = i * lanes + lane
                above_it = x[n, h * sh + k * dh - above, at // words, at % words]
                T.buffer_store(row, row[before * words + at] | above_it, (before * words + at,))
            with T.grid(out_width * words // run, run // out_lanes) as (w, i), T.vectorized(out_lanes) as lane:
                at = i * out_lanes + lane
                pooled = widest(row, w * sw * words + at) ^ flips[at % words]
                T.buffer_store(y, pooled, (n, h + top, left + w + at // words, at % words))
        if geometry.ones:
            with T.grid(batch * rows, columns, words) as (nr, q, c), T.sblock("border"):
                n = T.axis.spatial(batch, nr // rows)
                r = T.axis.spatial(rows, nr % rows)
                c_q, c_c = T.axis.remap("SS", [q, c])
                T.where(outside(nr % rows, q))
                T.reads()
                T.writes(y[n, r, c_q, c_c])
                T.buffer_store(y, existing_channels(c_c, geometry.channels, word), (n, r, c_q, c_c))
    return builder.get()


def _lanes(count: int, word: str) -> int:
    """The widest vector, up to 512 bits, that divides ``count`` words."""
    return next(n for n in (VECTOR_BITS // word_bits(word) >> k for k in range(7)) if count % n == 0)
