"""Sign, bit-pack and pad an NHWC tensor in one sweep: the compare's predicate bits are the packed bits.

A vector compare yields <lanes x i1>, which ``reinterpret`` turns into a word: ``vcmpps`` + ``kmov`` on AVX-512,
``vmovmskps`` on AVX2, ``fcmge`` and a reduction on NEON. x >= threshold is true for 0 and -0.0 and false for NaN.
"""

from __future__ import annotations

import tvm
from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from b2nn_tvm.kernel_attrs import PADDING, ROLE, Op, Role, mark

WORD_BITS = {"uint8": 8, "uint32": 32}
OPAQUE = 8  # relax's OpPatternKind: never fused, never rescheduled
PARALLEL_ELEMENTS = 1 << 16  # below, waking a second thread costs more than it saves


def pack_signs(
    shape: tuple[int, int, int, int],
    padding: tuple[int, int, int, int],
    *,
    word: str,
    pad_value: int,
    stride: tuple[int, int] = (1, 1),
) -> tirx.PrimFunc:
    """A scheduled function (x float32 [N, H, W, C], threshold float32 [C], y word [N, H + pads, W + pads, words]).

    ``padding`` is (top, left, bottom, right). A padded pixel has the bits of ``pad_value`` +1 in the channels that
    exist, else 0. Tail bits are 0. With a ``stride`` every so many rows and columns of x are packed only.
    """
    batch, in_height, in_width, channels = shape
    (row_step, column_step), height, width = stride, -(-in_height // stride[0]), -(-in_width // stride[1])
    top, left, bottom, right = padding
    bits = WORD_BITS[word]
    full, tail = divmod(channels, bits)
    words = full + (tail > 0)
    rows, columns = height + top + bottom, width + left + right
    ones = tirx.const((1 << bits) - 1 if pad_value == 1 else 0, word)
    ones_tail = tirx.const((1 << tail) - 1 if pad_value == 1 else 0, word)
    annotations = mark(Op.PACK_SIGNS, f"n{batch}_h{height}_w{width}_c{channels}")
    loop = T.parallel if batch * height * width * channels >= PARALLEL_ELEMENTS else T.serial

    def inside(r, q):
        return tirx.all(r >= top, r < top + height, q >= left, q < left + width)

    def value(x, limit, n, r, q, c, count):
        return _word(lambda first, lanes: _at_least(x, limit, pixel(n, r, q), c * bits + first, lanes), word, count)

    def pixel(n, r, q):
        return n, (r - top) * row_step, (q - left) * column_step

    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("pack")
        x_ptr, limit_ptr, y_ptr = T.arg("x_ptr", T.handle()), T.arg("limit_ptr", T.handle()), T.arg("y_ptr", T.handle())
        T.func_attr({"tirx.noalias": True, "tirx.is_scheduled": True, "op_pattern": OPAQUE, ROLE: str(Role.PACK_SIGNS)})
        if stride == (1, 1):
            T.func_attr({PADDING: [*padding, pad_value]})
        x = T.match_buffer(x_ptr, shape, "float32")
        limit = T.match_buffer(limit_ptr, (channels,), "float32")
        y = T.match_buffer(y_ptr, (batch, rows, columns, words), word)
        with loop(batch * rows) as nr, T.serial(columns) as q, T.sblock("pack_signs"):
            n = T.axis.spatial(batch, nr // rows)
            r = T.axis.spatial(rows, nr % rows)
            c_q = T.axis.spatial(columns, q)
            T.reads(x[0:batch, 0:in_height, 0:in_width, 0:channels], limit[0:channels])
            T.writes(y[n, r, c_q, 0:words])
            T.sblock_attr(annotations)
            with T.If(inside(r, c_q)):
                with T.Then():
                    with T.serial(full) as c:
                        T.buffer_store(y, value(x, limit, n, r, c_q, c, bits), (n, r, c_q, c))
                    if tail > 0:
                        T.buffer_store(y, value(x, limit, n, r, c_q, full, tail), (n, r, c_q, words - 1))
                with T.Else():
                    with T.serial(full) as c:
                        T.buffer_store(y, ones, (n, r, c_q, c))
                    if tail > 0:
                        T.buffer_store(y, ones_tail, (n, r, c_q, words - 1))
    return builder.get()


def pack_interior(
    x: tirx.Var, padding: tuple[int, int, int, int], packed: tuple[int, int, int, int], *, word: str
) -> tirx.PrimFunc:
    """Loops (threshold float32 [C], y word ``packed``) that pack the buffer ``x`` of another function into the image's
    pixels.

    To be put into that function, and scheduled with it: its one block reads the channels of a word and writes the word.
    """
    top, left, _, _ = padding
    batch, height, width, channels = (int(extent) for extent in x.ty.shape)
    words = packed[3]
    group = channels // words
    annotations = mark(Op.PACK_INTERIOR, "", channels=group)
    i = T.int64

    def value(limit, n, h, w, c):
        return _word(lambda first, lanes: _at_least(x, limit, (n, h, w), c * group + first, lanes), word, group)

    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("pack")
        limit_ptr, y_ptr = T.arg("limit_ptr", T.handle()), T.arg("y_ptr", T.handle())
        limit = T.match_buffer(limit_ptr, (i(channels),), "float32")
        y = T.match_buffer(y_ptr, tuple(map(i, packed)), word)
        with T.grid(i(batch), i(height), i(width), i(words)) as loops, T.sblock("pack_interior"):
            n, h, w, c = T.axis.remap("SSSS", loops)
            T.reads(x[n, h, w, c * group : c * group + group], limit[c * group : c * group + group])
            T.writes(y[n, h + top, w + left, c])
            T.sblock_attr(annotations)
            T.buffer_store(y, value(limit, n, h, w, c), (n, h + top, w + left, c))
    return builder.get()


def _at_least(x, limit, pixel, first, lanes: int):
    """The predicate x >= threshold of ``lanes`` neighbouring channels."""
    if lanes == 1:
        return x[(*pixel, first)] >= limit[first]
    where = T.Ramp(first, 1, lanes)
    return x[(*pixel, where)] >= limit[where]


def _word(predicate, word: str, count: int):
    """The lowest ``count`` bits of a word: whole vectors where they fit, single bits for the rest."""
    value, first = None, 0
    while first < count:
        lanes = next((size for size in (32, 16, 8) if first + size <= count and first % size == 0), 1)
        bits = predicate(first, lanes)
        if lanes == 1:
            part = tirx.Select(bits, tirx.const(1, word), tirx.const(0, word))
        else:
            part = tvm.ir.Call("tirx.reinterpret", [bits], ret_ty=f"uint{lanes}")
            part = part if f"uint{lanes}" == word else part.astype(word)
        part = part << tirx.const(first, word) if first else part
        value = part if value is None else value | part
        first += lanes
    return value
