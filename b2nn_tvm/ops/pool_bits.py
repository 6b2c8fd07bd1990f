"""Max-pool packed signs: the OR of the words of each window.

Pixels outside the image have the bit 0, as a max pooling pads with less than any value. This file holds the definition;
the loops that are compiled in its place are written by hand (schedules/templates/pool_bits.py).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Self

from tvm import te, tirx
from tvm.tirx import Expr, Var

from b2nn_tvm.kernel_attrs import BORDERED, GEOMETRY, ROLE, Op, Role, geometry_of, mark
from b2nn_tvm.ops.bit_layout import word_bits
from b2nn_tvm.ops.pack_signs import OPAQUE
from b2nn_tvm.ops.pooling import Pooling
from b2nn_tvm.relax_query import four, pair


@dataclass(frozen=True)
class PoolGeometry:
    """The windows of the pooling, (height, width) each, with ``before`` padded rows above and columns to the left, and
    the pooled ``image`` inside its ``border`` (top, left, bottom, right); ``ones``: the border has the bit 1 in the
    ``channels`` that exist.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    before: tuple[int, int]
    image: tuple[int, int]
    border: tuple[int, int, int, int]
    channels: int
    ones: bool

    @classmethod
    def of(cls, function: tirx.PrimFunc) -> Self:
        """The geometry of a function from ``pool_bits``."""
        found = geometry_of(function.attrs)
        (channels,), (ones,) = found["channels"], found["ones"]
        pairs = {name: pair(found[name]) for name in ("kernel", "stride", "dilation", "before", "image")}
        return cls(**pairs, border=four(found["border"]), channels=channels, ones=bool(ones))


def pool_bits(
    shape: tuple[int, int, int, int],
    pooling: Pooling,
    border: tuple[int, int, int, int],
    *,
    channels: int,
    word: str,
    pad_value: int,
) -> tirx.PrimFunc:
    """A function (x word ``shape`` [N, H, W, words], flips word [words], y word [N, H' + pads, W' + pads, words]).

    The pixels of y are the pooled ones of x, xor ``flips``. ``border`` (top, left, bottom, right) is the padding of the
    next layer around them: with ``pad_value`` +1 it has the bit 1 in the ``channels`` that exist; else it is 0, and the
    memory has to hold it already (attribute BORDERED).
    """
    batch, height, width, words = shape
    (sh, sw), (dh, dw), (above, before) = pooling.stride, pooling.dilation, pooling.padding[:2]
    top, left, bottom, right = border
    out_height, out_width = pooling.out_height, pooling.out_width
    ones = pad_value == 1 and any(border)
    geometry = PoolGeometry(
        pooling.kernel,
        pooling.stride,
        pooling.dilation,
        (above, before),
        (out_height, out_width),
        four(border),
        channels,
        ones,
    )
    x, flips = te.placeholder(shape, word, name="x"), te.placeholder((words,), word, name="flips")
    a, b = te.reduce_axis((0, pooling.kernel[0]), "a"), te.reduce_axis((0, pooling.kernel[1]), "b")
    any_of = te.comm_reducer(lambda left, right: left | right, lambda dtype: tirx.const(0, dtype), name="any_of")

    def tap(n: Var, h: Var, w: Var, c: Var) -> Expr:
        row, column = h * sh + a * dh - above, w * sw + b * dw - before
        inside = tirx.all(row >= 0, row < height, column >= 0, column < width)
        return any_of(tirx.if_then_else(inside, x[n, row, column, c], tirx.const(0, word)), axis=[a, b])

    pooled = te.compute((batch, out_height, out_width, words), tap, name="pooled")

    def at(n: Var, r: Var, q: Var, c: Var) -> Expr:
        inside = tirx.all(r >= top, r < top + out_height, q >= left, q < left + out_width)
        around = existing_channels(c, channels, word) if ones else tirx.const(0, word)
        return tirx.if_then_else(inside, pooled[n, r - top, q - left, c] ^ flips[c], around)

    y = te.compute(
        (batch, out_height + top + bottom, out_width + left + right, words),
        at,
        name="pool_bits",
        attrs=mark(Op.POOL_BITS, f"n{batch}_h{height}_w{width}_c{channels}"),
    )
    bordered = {BORDERED: list(border)} if any(border) and not ones else {}
    attrs = {"op_pattern": OPAQUE, ROLE: str(Role.POOL_BITS), GEOMETRY: asdict(geometry), **bordered}
    return te.create_prim_func([x, flips, y]).without_attr("global_symbol").with_attrs(attrs)


def existing_channels(c: tirx.Expr, channels: int, word: str) -> tirx.Expr:
    """Word ``c`` of a pixel whose bits are 1 in the channels that exist."""
    bits = word_bits(word)
    full, tail = tirx.const((1 << bits) - 1, word), tirx.const((1 << channels % bits) - 1, word)
    return tirx.Select(c < channels // bits, full, tail)
