"""Which 8-bit convolutions are computed by Winograd's form in whole numbers, and with which tiles.

The costs are counted for a pair of an input and an output channel. Their unit is an element of a vector multiplication:
two products of 16 bits, or ``run`` products of codes in the direct form. They were fitted to kernels that were measured
on an Intel Xeon, with 16 to 512 channels and images of 7x7 to 56x56.

Layers of stride 2 take 5 products in place of 6 in each direction, and have no weights but those of the direct form in
8 bits, which are transformed as they are read. Their products are of 16 bits, so they pay where those of the direct
form are, too.
"""

from __future__ import annotations

import math

import numpy as np

from b2nn_tvm.ops.int8_conv2d import fits_winograd
from b2nn_tvm.ops.vector_layout import CodeLayout
from b2nn_tvm.workload import ConvWorkload

CHANNELS = 16  # of which the micro-kernels want a multiple
NEAR_FILTERS = 1 << 14  # of 6 x 6 elements in 16 bits: a mebibyte, which stays in a second-level cache
TRANSFORMED_FILTER = 12  # the cost of the sums of a filter of stride 2 for a call of the micro-kernel
TILES_OF_A_CALL = 64
STRIDED_PRODUCTS = 5  # of a direction of a tile, for two pixels
FAR_BYTE = 4  # the cost of a byte of weights that lies farther away
MOST_TRANSFORMED = 1 << 20  # bytes of transformed codes that a call of the micro-kernel may have to hold


def winograd_tile(workload: ConvWorkload, weight: np.ndarray, codes: CodeLayout) -> int:
    """The m of the form F(m x m, 3 x 3) that computes the layer of whole numbers ``weight`` [O, C, 3, 3] in the least
    time; 0 where that is the direct form, or where no other is exact.
    """
    plain = (workload.kernel, workload.dilation, workload.groups) == ((3, 3), (1, 1), 1)
    if not codes.winograd or not plain or workload.in_channels % CHANNELS:
        return 0
    costs: dict[int, float] = {}
    if workload.stride == (1, 1):
        costs = {m: _cost(workload, m, codes) for m in (4, 2) if _fits_memory(workload, m) and fits_winograd(weight, m)}
    elif workload.stride == (2, 2) and codes.run == 2 and _fits_memory(workload, 2):
        costs = {2: _strided_cost(workload, codes)}
    best = min(costs, key=costs.__getitem__, default=0)
    return best if best and costs[best] < _direct_cost(workload, codes) else 0


def _cost(workload: ConvWorkload, m: int, codes: CodeLayout) -> float:
    down, across = _tiles(workload.out_height, m), _tiles(workload.out_width, m)
    tiles, elements = workload.batch * down * across, (m + 2) ** 2
    return tiles * (elements / 2 + m**2 * _transforms(workload, codes)) + _far(workload) * elements * 2


def _strided_cost(workload: ConvWorkload, codes: CodeLayout) -> float:
    sides = workload.out_height, workload.out_width
    products = math.prod(STRIDED_PRODUCTS * (side // 2) + 3 * (side % 2) for side in sides)
    tiles, transforms = math.prod(_tiles(side, 2) for side in sides), _transforms(workload, codes)
    of_an_image = products / 2 + tiles * 2**2 * transforms + -(-tiles // TILES_OF_A_CALL) * TRANSFORMED_FILTER
    return workload.batch * of_an_image + _far(workload) * 3 * 3


def _transforms(workload: ConvWorkload, codes: CodeLayout) -> float:
    """The cost of the transforms of a pixel."""
    return codes.winograd / 2 * (1 / workload.in_channels + 1 / workload.out_channels)


def _direct_cost(workload: ConvWorkload, codes: CodeLayout) -> float:
    pixels, taps = workload.batch * workload.out_height * workload.out_width, 3 * 3
    return pixels * taps / codes.run + _far(workload) * taps * codes.size


def _far(workload: ConvWorkload) -> int:
    return FAR_BYTE if workload.in_channels * workload.out_channels > NEAR_FILTERS else 0


def _fits_memory(workload: ConvWorkload, m: int) -> bool:
    """Whether the fewest tiles that a call takes are few enough: it cuts off what is left over of an image at its end,
    so that it takes all of the image there.
    """
    sides = (workload.out_height, workload.out_width)
    tiles = [1 if side % m == 0 else _tiles(side, m) for side in sides]
    elements = (m + 2) ** 2 if workload.stride == (1, 1) else STRIDED_PRODUCTS**2
    return math.prod(tiles) * elements * workload.in_channels * 2 <= MOST_TRANSFORMED


def _tiles(side: int, m: int) -> int:
    return -(-side // m)
