"""Max-pool packed signs: the OR of the words of each window, first down its rows, then along the row.

The rows are combined a whole image row at a time, in vectors that run over pixels and words alike. What lies outside
the image is the bit 0, as a max pooling pads with less than any value.
"""

from __future__ import annotations

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from b2nn_tvm.kernel_attrs import BORDERED, ROLE, Op, Role, mark
from b2nn_tvm.ops.pack_signs import OPAQUE, WORD_BITS
from b2nn_tvm.ops.pooling import Pooling

PARALLEL_WORDS = 1 << 14  # words read; below, waking a second thread costs more than it saves
VECTOR_BITS = 512


def pool_bits(
    shape: tuple[int, int, int, int],
    pooling: Pooling,
    border: tuple[int, int, int, int],
    *,
    channels: int,
    word: str,
    pad_value: int,
) -> tirx.PrimFunc:
    """A scheduled function (x word ``shape`` [N, H, W, words], flips word [words], y word [N, H' + pads, W' + pads,
    words]).

    The pixels of y are the pooled ones of x, xor ``flips``. ``border`` (top, left, bottom, right) is what the next
    layer wants around them: with ``pad_value`` +1 the bits of the ``channels`` that exist; else 0, which is left to the
    memory (attribute BORDERED).
    """
    batch, height, width, words = shape
    out_height, out_width = pooling.out_height, pooling.out_width
    (sh, sw), (dh, dw), (kh, kw) = pooling.stride, pooling.dilation, pooling.kernel
    above, before = pooling.padding[:2]
    top, left, bottom, right = border
    rows, columns = out_height + top + bottom, out_width + left + right
    reach = max(before + width, (out_width - 1) * sw + (kw - 1) * dw + 1)  # pixels of a row, with what is padded
    run = (
        out_width * words if sw == 1 else words
    )  # words of a result row that lie side by side in the combined row, too
    lanes, out_lanes = _lanes(width * words, word), _lanes(run, word)
    ones = pad_value == 1 and any(border)
    bits = WORD_BITS[word]
    loop = T.parallel if batch * height * width * words >= PARALLEL_WORDS else T.serial
    attributes = {ROLE: str(Role.POOL_BITS), **({BORDERED: list(border)} if any(border) and not ones else {})}

    def inside(h, k):
        return tirx.all(h * sh + k * dh >= above, h * sh + k * dh < above + height)

    def outside(r, q):
        return tirx.any(r < top, r >= top + out_height, q < left, q >= left + out_width)

    def existing(c):
        return tirx.Select(
            c < channels // bits, tirx.const((1 << bits) - 1, word), tirx.const((1 << channels % bits) - 1, word)
        )

    def widest(row, at):
        value = row[at]
        for k in range(1, kw):
            value = value | row[at + k * dw * words]
        return value

    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("pool")
        x_ptr, flips_ptr, y_ptr = (T.arg(name, T.handle()) for name in ("x_ptr", "flips_ptr", "y_ptr"))
        T.func_attr({"tirx.noalias": True, "tirx.is_scheduled": True, "op_pattern": OPAQUE, **attributes})
        x = T.match_buffer(x_ptr, (batch, height, width, words), word)
        flips = T.match_buffer(flips_ptr, (words,), word)
        y = T.match_buffer(y_ptr, (batch, rows, columns, words), word)
        with loop(batch * out_height) as nh, T.sblock("pool_bits"):
            n = T.axis.spatial(batch, nh // out_height)
            h = T.axis.spatial(out_height, nh % out_height)
            T.reads(x[n, 0:height, 0:width, 0:words], flips[0:words])
            T.writes(y[n, h + top, left : left + out_width, 0:words])
            T.sblock_attr(mark(Op.POOL_BITS, f"n{batch}_h{height}_w{width}_c{channels}"))
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
        if ones:
            with T.grid(batch * rows, columns, words) as (nr, q, c), T.sblock("border"):
                n = T.axis.spatial(batch, nr // rows)
                r = T.axis.spatial(rows, nr % rows)
                c_q, c_c = T.axis.remap("SS", [q, c])
                T.where(outside(nr % rows, q))
                T.reads()
                T.writes(y[n, r, c_q, c_c])
                T.buffer_store(y, existing(c_c), (n, r, c_q, c_c))
    return builder.get()


def _lanes(count: int, word: str) -> int:
    """The widest vector, up to 512 bits, that divides ``count`` words."""
    return next(n for n in (VECTOR_BITS // WORD_BITS[word] >> k for k in range(7)) if count % n == 0)
