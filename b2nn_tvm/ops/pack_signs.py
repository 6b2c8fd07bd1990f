"""Sign, bit-pack and pad an NHWC tensor: bit b of word c of a pixel is x[32 c + b] >= threshold[32 c + b] (or 8 c + b).

x >= threshold is true for 0 and -0.0 and false for NaN. With several thresholds per channel, x is packed as a code: the
number of thresholds that it reaches. Each bit of the codes is a plane of its own, as one more image of the batch. This
file holds the definition; the loops that are compiled in its place are written by hand (templates/pack_signs.py).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import reduce
from typing import Self

from tvm import te, tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T
from tvm.tirx import Expr, Var

from b2nn_tvm.kernel_attrs import GEOMETRY, PADDING, ROLE, Op, Role, geometry_of, mark
from b2nn_tvm.ops.bit_layout import word_bits, words_of
from b2nn_tvm.ops.sign_words import reached, word_of_signs
from b2nn_tvm.relax_query import four, pair

OPAQUE = 8  # relax's OpPatternKind: never fused


@dataclass(frozen=True)
class PackGeometry:
    """The geometry of a packing: ``padding`` is (top, left, bottom, right) in pixels, ``stride`` the step in rows and
    columns of x between packed pixels; padded pixels have the bits of ``pad_code`` in the channels that exist.
    """

    padding: tuple[int, int, int, int]
    stride: tuple[int, int]
    pad_code: int = 0
    planes: int = 1

    @classmethod
    def of(cls, function: tirx.PrimFunc) -> Self:
        """The geometry of a function from ``pack_signs``."""
        found = geometry_of(function.attrs)
        return cls(four(found["padding"]), pair(found["stride"]), *found["pad_code"], *found["planes"])

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
    geometry = PackGeometry(four(padding), pair(stride), int(pad_value == 1))
    return pack_codes(shape, geometry, word=word, thresholds=1)


def pack_codes(
    shape: tuple[int, int, int, int], geometry: PackGeometry, *, word: str, thresholds: int, dtype: str = "float32"
) -> tirx.PrimFunc:
    """The same for codes: (x, threshold [thresholds, C], y word [planes * N, H + pads, W + pads, words]), x and the
    thresholds of the type ``dtype``.

    The thresholds of a channel do not fall. Plane p, bit p of the codes, is the images from p * N on. A single
    threshold is [C], and the codes are signs.
    """
    batch, in_height, in_width, channels = shape
    stride, (height, width) = geometry.stride, geometry.image(in_height, in_width)
    top, left, bottom, right = geometry.padding
    bits = word_bits(word)
    x = te.placeholder(shape, dtype, name="x")
    limit = te.placeholder(_limits(thresholds, channels), dtype, name="limit")
    b = te.reduce_axis((0, bits), "b")

    def at(n: Var, r: Var, q: Var, c: Var) -> Expr:
        inside = tirx.all(r >= top, r < top + height, q >= left, q < left + width)
        channel = c * bits + b
        value = x[n % batch, (r - top) * stride[0], (q - left) * stride[1], channel]
        bit = tirx.const(False)
        for plane in range(geometry.planes):
            filler = tirx.const(bool(geometry.pad_code >> plane & 1))
            own = tirx.if_then_else(inside, reached(value, limit, channel, plane), filler)
            bit = own if geometry.planes == 1 else tirx.if_then_else(n // batch == plane, own, bit)
        bit = tirx.if_then_else(channel < channels, bit, tirx.const(False))
        return te.sum(bit.astype(word) << b.astype(word), axis=[b])

    y = te.compute(
        (geometry.planes * batch, height + top + bottom, width + left + right, words_of(channels, word=word)),
        at,
        name="pack_signs",
        attrs=mark(Op.PACK_SIGNS, f"n{batch}_h{height}_w{width}_c{channels}"),
    )
    whole = {PADDING: [*geometry.padding, int(geometry.pad_code > 0)]} if geometry.stride == (1, 1) else {}
    attrs = {"op_pattern": OPAQUE, ROLE: str(Role.PACK_SIGNS), GEOMETRY: asdict(geometry), **whole}
    return te.create_prim_func([x, limit, y]).without_attr("global_symbol").with_attrs(attrs)


def pack_interior(
    x: tirx.Var,
    padding: tuple[int, int, int, int],
    packed: tuple[int, int, int, int],
    *,
    word: str,
    thresholds: int = 1,
) -> tirx.PrimFunc:
    """Loops (threshold float32 [C] or [thresholds, C], y word ``packed``) that pack the buffer ``x`` of another
    function into the image's pixels, in as many planes as ``packed`` has times the images of x.

    They are put into that function and scheduled with it: their one block reads the channels of a word and writes the
    word.
    """
    top, left, _, _ = padding
    batch, height, width, channels = (int(extent) for extent in x.ty.shape)
    planes, words = packed[0] // batch, packed[3]
    group = channels // words
    annotations = mark(Op.PACK_INTERIOR, "", channels=group)
    i = T.int64
    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("pack")
        limit_ptr, y_ptr = T.arg("limit_ptr", T.handle()), T.arg("y_ptr", T.handle())
        limit = T.match_buffer(limit_ptr, tuple(map(i, _limits(thresholds, channels))), "float32")
        y = T.match_buffer(y_ptr, tuple(map(i, packed)), word)
        with T.grid(i(batch), i(height), i(width), i(words), i(planes)) as loops, T.sblock("pack_interior"):
            n, h, w, c, plane = T.axis.remap("SSSSS", loops)
            channels_of_word = slice(c * group, c * group + group)
            read = limit[channels_of_word] if thresholds == 1 else limit[0:thresholds, channels_of_word]
            T.reads(x[n, h, w, channels_of_word], read)
            image = plane * batch + n
            T.writes(y[image, h + top, w + left, c])
            T.sblock_attr(annotations)
            values = [
                word_of_signs(x, limit, (n, h, w), c * group, word=word, count=group, plane=p) for p in range(planes)
            ]
            # The schedule unrolls the planes, so that one of the values is left in each.
            value = reduce(lambda others, p: tirx.Select(plane == p, values[p], others), range(1, planes), values[0])
            T.buffer_store(y, value, (image, h + top, w + left, c))
    return builder.get()


def thresholds_of(function: tirx.PrimFunc) -> int:
    """The thresholds per channel of a function from ``pack_signs``."""
    shape = function.params[1].ty.shape
    return int(shape[0]) if len(shape) > 1 else 1


def _limits(thresholds: int, channels: int) -> tuple[int, ...]:
    return (channels,) if thresholds == 1 else (thresholds, channels)
