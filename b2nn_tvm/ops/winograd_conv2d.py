"""Winograd convolution F(m x m, 3 x 3) in NHWC, stride 1 (Lavin & Gray, "Fast Algorithms for Convolutional Neural
Networks").

    V = B^T d B of each (m + 2) x (m + 2) tile;  M = V U with U = G g G^T made at compile time;  y = A^T M A

m = 4 saves three quarters of the multiplications at an error of about 1e-5, m = 2 saves 56 % at the error of the direct
form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from tvm import te, tirx
from tvm.tirx import Expr, Var

from b2nn_tvm.kernel_attrs import Op, mark
from b2nn_tvm.ops.conv2d import crop_channels
from b2nn_tvm.workload import ConvWorkload

INPUT = {
    2: ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
    4: (
        (4, 0, -5, 0, 1, 0),
        (0, -4, -4, 1, 1, 0),
        (0, 4, -4, -1, 1, 0),
        (0, -2, -1, 2, 1, 0),
        (0, 2, -1, -2, 1, 0),
        (0, 4, 0, -5, 0, 1),
    ),
}  # B^T
FILTER = {
    2: ((1, 0, 0), (1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (0, 0, 1)),
    4: (
        (1 / 4, 0, 0),
        (-1 / 6, -1 / 6, -1 / 6),
        (-1 / 6, 1 / 6, -1 / 6),
        (1 / 24, 1 / 12, 1 / 6),
        (1 / 24, -1 / 12, 1 / 6),
        (0, 0, 1),
    ),
}  # G
OUTPUT = {
    2: ((1, 1, 1, 0), (0, 1, -1, -1)),
    4: ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1)),
}  # A^T


def winograd_conv2d(x: te.Tensor, weight: te.Tensor, *, workload: ConvWorkload, m: int) -> te.Tensor:
    """float32 [N, H', W', O] of x [N, m * rows + 2, m * columns + 2, C] and weight [m + 2, m + 2, O / lanes, C, lanes].

    ``x`` is padded to whole tiles (``padding_to_tiles``); weight is from ``transform_weights``.
    """
    size, _, blocks, channels, lanes = (int(extent) for extent in weight.shape)
    rows, columns = (int(x.shape[axis]) - 2 for axis in (1, 2))
    tiles = (workload.batch, rows // m, columns // m)
    half = te.compute(
        (*tiles, size, size, channels),
        lambda n, p, q, i, s, c: combine(INPUT[m], i, lambda r: x[n, p * m + r, q * m + s, c]),
        name="half_input",
        attrs=mark(Op.WINOGRAD_HALF_INPUT, workload),
    )
    data = te.compute(
        (*tiles, size, size, channels),
        lambda n, p, q, i, j, c: combine(INPUT[m], j, lambda s: half[n, p, q, i, s, c]),
        name="input_transform",
        attrs=mark(Op.WINOGRAD_INPUT, workload),
    )
    k = te.reduce_axis((0, channels), "k")
    product = te.compute(
        (*tiles, size, size, blocks * lanes),
        lambda n, p, q, i, j, o: te.sum(data[n, p, q, i, j, k] * weight[i, j, o // lanes, k, o % lanes], axis=[k]),
        name="product",
        attrs=mark(Op.WINOGRAD_CONV2D, workload, lanes=lanes, tile_size=m),
    )
    half_output = te.compute(
        (*tiles, m, size, blocks * lanes),
        lambda n, p, q, i, j, o: combine(OUTPUT[m], i, lambda r: product[n, p, q, r, j, o]),
        name="half_output",
        attrs=mark(Op.WINOGRAD_HALF_OUTPUT, workload),
    )
    y = te.compute(
        (workload.batch, workload.out_height, workload.out_width, blocks * lanes),
        lambda n, h, w, o: combine(OUTPUT[m], w % m, lambda s: half_output[n, h // m, w // m, h % m, s, o]),
        name="output_transform",
    )
    return crop_channels(y, workload.out_channels)


def transform_weights(weight: np.ndarray, *, lanes: int, m: int) -> np.ndarray:
    """float32 [m + 2, m + 2, ceil(O / lanes), C, lanes] of weight [O, C, 3, 3]: G g G^T, computed in float64."""
    outputs, channels = weight.shape[:2]
    g = np.asarray(FILTER[m], np.float64)
    u = np.einsum("ik,ockl,jl->ijoc", g, weight.astype(np.float64), g)
    blocks = -(-outputs // lanes)
    full = np.zeros((*u.shape[:2], blocks * lanes, channels))
    full[:, :, :outputs] = u
    tiled = full.reshape(*u.shape[:2], blocks, lanes, channels).transpose(0, 1, 2, 4, 3)
    return np.ascontiguousarray(tiled.astype(np.float32))


def padding_to_tiles(workload: ConvWorkload, m: int) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) with bottom and right enlarged so that the output is whole tiles of m x m."""
    top, left, bottom, right = workload.padding
    return top, left, bottom + -workload.out_height % m, right + -workload.out_width % m


def combine(matrix: Sequence[Sequence[float]], row: Var, value: Callable[[int], Expr], dtype: str = "float32") -> Expr:
    """Row ``row`` of ``matrix`` times the vector ``value`` of numbers of ``dtype``; the row is known once its loop is
    unrolled.
    """
    rows = [_sum(coefficients, value, dtype) for coefficients in matrix]
    chosen = rows[-1]
    for index in reversed(range(len(rows) - 1)):
        chosen = tirx.Select(row == index, rows[index], chosen)
    return chosen


def _sum(coefficients: Sequence[float], value: Callable[[int], Expr], dtype: str) -> Expr:
    total = None
    for index, coefficient in enumerate(coefficients):
        if coefficient:
            term = value(index) if coefficient == 1 else value(index) * tirx.const(coefficient, dtype)
            total = term if total is None else total + term
    return total
