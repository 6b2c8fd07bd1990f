"""Sign, bit-pack and pad an NHWC tensor: bit b of word c of a pixel is x[32 c + b] >= threshold[32 c + b] (or 8 c + b).

x >= threshold is true for 0 and -0.0 and false for NaN. This file holds the definition; the loops that are compiled in
its place are written by hand (schedules/templates/pack_signs.py).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Self

from tvm import te, tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T
from tvm.tirx import Expr, Var

from b2nn_tvm.kernel_attrs import GEOMETRY, PADDING, ROLE, Op, Role, geometry_of, mark
from b2nn_tvm.ops.bit_layout import word_bits, words_of
from b2nn_tvm.ops.sign_words import word_of_signs
from b2nn_tvm.relax_query import four, pair

OPAQUE = 8  # relax's OpPatternKind: never fused


@dataclass(frozen=True)
class PackGeometry:
    """The geometry of a packing: ``padding`` is (top, left, bottom, right) in pixels, ``stride`` the step in rows and
    columns of x between packed pixels; ``ones``: padded pixels have the bit 1 in the channels that exist.
    """

    padding: tuple[int, int, int, int]
    stride: tuple[int, int]
    ones: bool

    @classmethod
    def of(cls, function: tirx.PrimFunc) -> Self:
        """The geometry of a function from ``pack_signs``."""
        found = geometry_of(function.attrs)
        return cls(four(found["padding"]), pair(found["stride"]), bool(*found["ones"]))

    def image(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the packed pixels of an image of x with this height and width."""
        return -(-height // self.stride[0]), -(-width // self.stride[1])


def pack_signs(
    shape: tuple[int, int, int, int],
    padding: tuple[int, int, int, int],
    *,
    word: str,
    pad_value: int,
    stride: tuple[int, int] = (1, 1),
) -> tirx.PrimFunc:
    """A function (x float32 [N, H, W, C], threshold float32 [C], y word [N, H + pads, W + pads, words]).

    ``padding`` is (top, left, bottom, right). A padded pixel has the bits of ``pad_value`` +1 in the channels that
    exist, else 0. Tail bits are 0. With a ``stride``, only every stride[0]-th row and every stride[1]-th column of x is
    packed.
    """
    batch, in_height, in_width, channels = shape
    geometry = PackGeometry(four(padding), pair(stride), pad_value == 1)
    (height, width), (top, left, bottom, right) = geometry.image(in_height, in_width), padding
    bits, filler = word_bits(word), tirx.const(pad_value == 1)
    x = te.placeholder(shape, "float32", name="x")
    limit = te.placeholder((channels,), "float32", name="limit")
    b = te.reduce_axis((0, bits), "b")

    def at(n: Var, r: Var, q: Var, c: Var) -> Expr:
        inside = tirx.all(r >= top, r < top + height, q >= left, q < left + width)
        channel = c * bits + b
        sign = x[n, (r - top) * stride[0], (q - left) * stride[1], channel] >= limit[channel]
        bit = tirx.if_then_else(channel < channels, tirx.if_then_else(inside, sign, filler), tirx.const(False))
        return te.sum(bit.astype(word) << b.astype(word), axis=[b])

    y = te.compute(
        (batch, height + top + bottom, width + left + right, words_of(channels, word=word)),
        at,
        name="pack_signs",
        attrs=mark(Op.PACK_SIGNS, f"n{batch}_h{height}_w{width}_c{channels}"),
    )
    whole = {PADDING: [*padding, pad_value]} if geometry.stride == (1, 1) else {}
    attrs = {"op_pattern": OPAQUE, ROLE: str(Role.PACK_SIGNS), GEOMETRY: asdict(geometry), **whole}
    return te.create_prim_func([x, limit, y]).without_attr("global_symbol").with_attrs(attrs)


def pack_interior(
    x: tirx.Var, padding: tuple[int, int, int, int], packed: tuple[int, int, int, int], *, word: str
) -> tirx.PrimFunc:
    """Loops (threshold float32 [C], y word ``packed``) that pack the buffer ``x`` of another function into the image's
    pixels.

    They are put into that function and scheduled with it: their one block reads the channels of a word and writes the
    word.
    """
    top, left, _, _ = padding
    batch, height, width, channels = (int(extent) for extent in x.ty.shape)
    words = packed[3]
    group = channels // words
    annotations = mark(Op.PACK_INTERIOR, "", channels=group)
    i = T.int64
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
            value = word_of_signs(x, limit, (n, h, w), c * group, word=word, count=group)
            T.buffer_store(y, value, (n, h + top, w + left, c))
    return builder.get()
