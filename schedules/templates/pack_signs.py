"""The loops that sign, pack and pad an image in one sweep: see ops/pack_signs.py for the computation.

for n, r (parallel) q:
    inside the image:  for c: word = the predicate bits of whole vectors of compares; single bits for the tail
    else:              for c: the word of the border

The loops are written by hand, because no schedule primitive turns a vector of compares into one word.
"""

from __future__ import annotations

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T
from tvm.tirx import Expr, Var

from b2nn_tvm.kernel_attrs import Op, mark
from b2nn_tvm.ops.bit_layout import word_bits
from b2nn_tvm.ops.pack_signs import PackGeometry
from b2nn_tvm.ops.sign_words import word_of_signs

PARALLEL_ELEMENTS = 1 << 16  # below, waking a second thread costs more than it saves


def pack_signs_loops(function: tirx.PrimFunc) -> tirx.PrimFunc:
    """The loop nest of a function from ``ops.pack_signs``, with the same parameters and attributes."""
    geometry = PackGeometry.of(function)
    shape, limits, packed = (tuple(map(int, parameter.ty.shape)) for parameter in function.params)
    kind, word = str(function.params[0].ty.dtype), str(function.params[2].ty.dtype)
    batch, in_height, in_width, channels = shape
    _, rows, columns, words = packed
    planes = geometry.planes
    (row_step, column_step), (height, width) = geometry.stride, geometry.image(in_height, in_width)
    top, left, _, _ = geometry.padding
    bits = word_bits(word)
    full, tail = divmod(channels, bits)
    annotations = mark(Op.PACK_SIGNS, f"n{batch}_h{height}_w{width}_c{channels}")
    loop = T.parallel if batch * height * width * channels >= PARALLEL_ELEMENTS else T.serial

    def inside(r: Expr, q: Expr) -> Expr:
        return tirx.all(r >= top, r < top + height, q >= left, q < left + width)

    def value(x: Var, limit: Var, n: Var, r: Var, q: Var, c: Expr, count: int, plane: int) -> Expr:
        pixel = (n, (r - top) * row_step, (q - left) * column_step)
        return word_of_signs(x, limit, pixel, c * bits, word=word, count=count, plane=plane)

    def border(plane: int, count: int) -> Expr:
        return tirx.const((1 << count) - 1 if geometry.pad_code >> plane & 1 else 0, word)

    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("pack")
        x_ptr, limit_ptr, y_ptr = T.arg("x_ptr", T.handle()), T.arg("limit_ptr", T.handle()), T.arg("y_ptr", T.handle())
        T.func_attr(dict(function.attrs))
        x = T.match_buffer(x_ptr, shape, kind)
        limit = T.match_buffer(limit_ptr, limits, kind)
        y = T.match_buffer(y_ptr, packed, word)
        with loop(batch * rows) as nr, T.serial(columns) as q, T.sblock("pack_signs"):
            n = T.axis.spatial(batch, nr // rows)
            r = T.axis.spatial(rows, nr % rows)
            c_q = T.axis.spatial(columns, q)
            whole = tuple(slice(0, extent) for extent in limits)
            T.reads(x[0:batch, 0:in_height, 0:in_width, 0:channels], limit[whole])
            T.writes(y[n, r, c_q, 0:words] if planes == 1 else y[0 : planes * batch, r, c_q, 0:words])
            T.sblock_attr(annotations)
            with T.If(inside(r, c_q)):
                with T.Then():
                    with T.serial(full) as c:
                        for p in range(planes):
                            T.buffer_store(y, value(x, limit, n, r, c_q, c, bits, p), (n + p * batch, r, c_q, c))
                    for p in range(planes if tail else 0):
                        last = value(x, limit, n, r, c_q, full, tail, p)
                        T.buffer_store(y, last, (n + p * batch, r, c_q, words - 1))
                with T.Else():
                    with T.serial(full) as c:
                        for p in range(planes):
                            T.buffer_store(y, border(p, bits), (n + p * batch, r, c_q, c))
                    for p in range(planes if tail else 0):
                        T.buffer_store(y, border(p, tail), (n + p * batch, r, c_q, words - 1))
    return builder.get()
