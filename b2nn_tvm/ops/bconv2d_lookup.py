"""Binary convolution by table look-up: one byte shuffle counts four channels of two output rows for a vector of
filters.

A *pair* byte holds the same four channels of two input pixels, one above the other. It selects a row of a table whose
entry for each nibble of weights has popcount(upper pixel xor weight) in its low half and popcount(lower pixel xor
weight) in its high half, so that a byte shuffle of the row by the weights' nibbles (``vpshufb``) does 8 binary MACs per
filter:

    lookups (uint8)  = sum of 2 or 3 shuffled rows            both halves at most 12: nothing carries over
    short   (uint8)  = sums of whole bytes modulo 256, and of their high halves; at most 21 look-ups, so at most 252
    bconv2d (uint16) = for the lower pixel the high halves, for the upper one the bytes less 16 times these

The idea of a table that the activations select and the weights index is T-MAC's (arXiv 2407.00088); two pixels per
entry halve the shuffles. docs/kernels.md counts the operations.
"""

from __future__ import annotations

import numpy as np
from tvm import te, tirx
from tvm.tirx import Expr, Var

from b2nn_tvm.kernel_attrs import Op, mark
from b2nn_tvm.workload import ConvWorkload

SHUFFLES = {16: "llvm.x86.ssse3.pshuf.b.128", 32: "llvm.x86.avx2.pshuf.b", 64: "llvm.x86.avx512.pshuf.b.512"}
MAX_BITS_IN_UINT8 = 255
MAX_BITS_IN_UINT16 = 65535
COLUMNS = 3  # kernel columns that are added up before the halves are taken apart: 3 * 4 bits are less than 16


def count_by_lookup(
    x: te.Tensor, weight: te.Tensor, table: te.Tensor, *, workload: ConvWorkload, plane: int = 0
) -> te.Tensor:
    """popcount(x xor w) [N, H' rounded up to even, W', O] of bytes x and nibbles weight [O/lanes, kh, kw, nibbles,
    lanes]; of an x of several planes, ``plane`` is read.
    """
    blocks, kernel_height, kernel_width, nibbles, lanes = (int(extent) for extent in weight.shape)
    size, shuffle = nibbles // 2, SHUFFLES[lanes]
    (sh, sw), (dh, dw) = workload.stride, workload.dilation
    pair_rows = -(-workload.out_height // 2)
    rows = (pair_rows - 1) * 2 * sh + (kernel_height - 1) * dh + 1
    pairs = _pairs(x, rows=rows, below=sh, workload=workload, plane=plane)
    by_column = kernel_width % COLUMNS == 0
    taken, steps = (COLUMNS, nibbles) if by_column else (2, size)
    groups = kernel_width // COLUMNS if by_column else kernel_width
    chunk = max(n for n in range(1, MAX_BITS_IN_UINT8 // (4 * taken) + 1) if steps % n == 0)
    i, f = te.reduce_axis((0, taken), "i"), te.reduce_axis((0, chunk), "f")

    def look_up(n: Var, h: Var, w: Var, a: Var, b: Var, c: Var, o: Var) -> Expr:
        column, nibble = (b * COLUMNS + i, c) if by_column else (b, i * size + c)
        pair = pairs[n, 2 * sh * h + a * dh, w * sw + column * dw, nibble]
        row, filters = table[pair, o % lanes], weight[o // lanes, a, column, nibble, o % lanes]
        return te.sum(tirx.call_llvm_pure_intrin("uint8", shuffle, row, filters), axis=[i])

    image = (workload.batch, pair_rows, workload.out_width, kernel_height, groups)
    lookups = te.compute(
        (*image, steps, blocks * lanes), look_up, name="lookups", attrs=mark(Op.BCONV2D_LOOKUPS, workload)
    )

    def add_up(n: Var, h: Var, w: Var, a: Var, b: Var, e: Var, half: Var, o: Var) -> Expr:
        value = lookups[n, h, w, a, b, e * chunk + f, o]
        return te.sum(tirx.Select(half == 0, value, value >> _byte(4)), axis=[f])

    short = te.compute(
        (*image, steps // chunk, 2, blocks * lanes), add_up, name="short", attrs=mark(Op.BCONV2D_SHORT, workload)
    )
    total = "uint16" if workload.in_channels * kernel_height * kernel_width <= MAX_BITS_IN_UINT16 else "int32"
    kh, kw = te.reduce_axis((0, kernel_height), "kh"), te.reduce_axis((0, groups), "kw")
    c = te.reduce_axis((0, steps // chunk), "c")

    def take_apart(n: Var, h: Var, w: Var, o: Var) -> Expr:
        both, lower = (short[n, h // 2, w, kh, kw, c, half, o] for half in (0, 1))
        return te.sum(tirx.Select(h % 2 == 0, both - (lower << _byte(4)), lower).astype(total), axis=[kh, kw, c])

    shape = (workload.batch, 2 * pair_rows, workload.out_width, blocks * lanes)
    return te.compute(shape, take_apart, name="bconv2d", attrs=mark(Op.BCONV2D_LOOKUP, workload, lanes=lanes))


def _pairs(x: te.Tensor, *, rows: int, below: int, workload: ConvWorkload, plane: int) -> te.Tensor:
    """uint8 [N, rows, W, 2 * bytes]: all low, then all high nibbles of the bytes of x, with the nibbles ``below`` rows
    further down in the high half, which are 0 below the last row of x.
    """
    _, height, width, size = (int(extent) for extent in x.shape)
    batch, first = workload.batch, plane * workload.batch

    def pair(n: Var, y: Var, q: Var, c: Var) -> Expr:
        upper = x[n + first, y, q, c % size]
        below_it = x[n + first, tirx.min(y + below, height - 1), q, c % size]
        lower = tirx.if_then_else(y + below < height, below_it, _byte(0))
        low = (upper & _byte(15)) | (lower << _byte(4))
        return tirx.Select(c < size, low, (upper >> _byte(4)) | (lower & _byte(240)))

    return te.compute((batch, rows, width, 2 * size), pair, name="pairs", attrs=mark(Op.BCONV2D_PAIRS, workload))


def _byte(value: int) -> Expr:
    return tirx.const(value, "uint8")


def lookup_table(lanes: int) -> np.ndarray:
    """uint8 [256, lanes]: for a pair byte the popcounts of both its nibbles xor 0..15, repeated over the whole
    vector.
    """
    pairs, nibbles = np.arange(256)[:, None], np.arange(lanes)[None] % 16
    upper, lower = np.bitwise_count((pairs & 15) ^ nibbles), np.bitwise_count((pairs >> 4) ^ nibbles)
    return np.asarray(upper + 16 * lower, np.uint8)


def to_nibbles(weight: np.ndarray) -> np.ndarray:
    """uint8 [..., 2 * bytes, lanes] of packed weights [..., bytes, lanes]: all low, then all high nibbles."""
    return np.ascontiguousarray(np.concatenate([weight & 15, weight >> 4], axis=-2))
