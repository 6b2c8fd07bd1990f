"""Binary convolution on packed bits: dot = constant - 2 * popcount(x xor w), exact in int32.

Three forms of the same sum, one per kind of vector unit:

- words: uint32 lanes, one popcount per lane straight into int32 (AVX-512 VPOPCNTDQ);
- bytes: uint8 lanes, summed in uint16 (NEON ``cnt``; in int32 where a filter has more bits than uint16 holds);
- look-up: nibbles of two rows at a time through a table (AVX2 and AVX-512 ``vpshufb``, see ops/bconv2d_lookup.py).

Popcounts are cast to int32 before any subtraction: TVM marks unsigned arithmetic as not wrapping.
"""

from __future__ import annotations

from tvm import te, tirx
from tvm.tirx import Expr, Var

from b2nn_tvm.kernel_attrs import Op, mark
from b2nn_tvm.ops.bconv2d_lookup import MAX_BITS_IN_UINT16, count_by_lookup
from b2nn_tvm.ops.conv2d import crop_channels
from b2nn_tvm.workload import ConvWorkload


def bconv2d(
    x: te.Tensor,
    weight: te.Tensor,
    constant: te.Tensor | int,
    rows: te.Tensor | None = None,
    columns: te.Tensor | None = None,
    *,
    workload: ConvWorkload,
    table: te.Tensor | None = None,
    plane: int = 0,
) -> te.Tensor:
    """int32 [N, H', W', O] dot products of packed x [N, H + pads, W + pads, words] and weight [O/lanes, kh, kw, words,
    lanes].

    ``constant`` is the one number of a uniform border, or a border's table with ``rows`` and ``columns``
    (ops/bit_layout.py). ``table`` is the table of the look-up form, whose weight holds nibbles (``to_nibbles``) in
    place of words. Of an x of several planes, one behind the other along its batch, ``plane`` is read.
    """
    lanes = int(weight.shape[4])
    if table is not None:
        count = count_by_lookup(x, weight, table, workload=workload, plane=plane)
    else:
        short = workload.in_channels * workload.kernel[0] * workload.kernel[1] <= MAX_BITS_IN_UINT16
        count = _count(x, weight, workload=workload, in_bytes=x.dtype == "uint8" and short, plane=plane)
    shape = (workload.batch, workload.out_height, workload.out_width, int(weight.shape[0]) * lanes)

    def first(h: Var, w: Var, o: Var) -> Expr:
        if isinstance(constant, int) or rows is None or columns is None:
            return tirx.const(constant, "int32")
        return constant[rows[h], columns[w], o]

    def dot(n: Var, h: Var, w: Var, o: Var) -> Expr:
        return first(h, w, o) - 2 * count[n, h, w, o].astype("int32")

    return crop_channels(te.compute(shape, dot, name="dot"), workload.out_channels)


def _count(x: te.Tensor, weight: te.Tensor, *, workload: ConvWorkload, in_bytes: bool, plane: int) -> te.Tensor:
    """The plain sum, in uint16 or in int32. The schedule replaces the sum ``in_bytes`` by a micro-kernel, which sums
    short runs in uint8.
    """
    blocks, kernel_height, kernel_width, words, lanes = (int(extent) for extent in weight.shape)
    kh, kw = te.reduce_axis((0, kernel_height), "kh"), te.reduce_axis((0, kernel_width), "kw")
    c = te.reduce_axis((0, words), "c")
    (sh, sw), (dh, dw) = workload.stride, workload.dilation
    first = plane * workload.batch
    total, op = ("uint16", Op.BCONV2D_BYTES) if in_bytes else ("int32", Op.BCONV2D_WORDS)
    return te.compute(
        (workload.batch, workload.out_height, workload.out_width, blocks * lanes),
        lambda n, h, w, o: te.sum(
            tirx.popcount(
                x[n + first, h * sh + kh * dh, w * sw + kw * dw, c] ^ weight[o // lanes, kh, kw, c, o % lanes]
            ).astype(total),
            axis=[kh, kw, c],
        ),
        name="bconv2d",
        attrs=mark(op, workload, lanes=lanes, window=in_bytes),
    )
