"""The micro-kernel of 8-bit depthwise convolutions for AArch64: its sums, its registers, and what it takes."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.schedules.micro_kernels.depthwise_a64 import LANES, A64DepthwiseEachKernel, A64DepthwiseKernel
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.window_tile import WindowTile, window_tile
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops.codes import int8_conv
from tests.support.schedules.compiled import assembly
from tests.support.schedules.interpret import sums_of
from tests.support.schedules.micro_kernels import executed
from tests.support.schedules.registers import check_registers

KERNELS = (A64DepthwiseKernel, A64DepthwiseEachKernel)
# (channels of the image, kernel, stride, dilation, tile)
SHAPES = (
    (8, (1, 1), 1, 1, Tile(1, 1, 1)),
    (24, (3, 3), 1, 1, Tile(2, 3, 3)),
    (16, (3, 3), 2, 1, Tile(1, 7, 2)),
    (16, (5, 4), 1, 2, Tile(1, 2, 1)),
    (2048, (3, 3), 1, 1, Tile(2, 1, 2)),
    (256, (11, 12), 1, 1, Tile(1, 1, 32)),
)


def depthwise_tile(channels, kernel, stride, dilation, tile) -> WindowTile:
    return window_tile(
        (1, 11, 17, channels),
        kernel,
        stride=(stride, stride),
        dilation=(dilation, dilation),
        tile=tile,
        lanes=LANES,
        channel_bytes=1,
    )


def definition(tile: WindowTile, image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    taps = [row * tile.row_stride + run for run in tile.runs for row in range(tile.rows)]
    channels = np.arange(tile.blocks * LANES)
    filters = weights.reshape(tile.blocks, len(taps), LANES).transpose(1, 0, 2).reshape(len(taps), -1).astype(np.int64)
    codes = np.stack([[image[pixel + tap + channels] for tap in taps] for pixel in tile.pixels]).astype(np.int64)
    return (codes * filters).sum(axis=1)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("shape", [*SHAPES[:-1], pytest.param(SHAPES[-1], marks=pytest.mark.sweep)])
def test_the_sums_are_those_of_the_definition(kernel, shape):
    tile, rng = depthwise_tile(*shape), np.random.default_rng(0)
    least = -128 if kernel is A64DepthwiseEachKernel else -127
    image = rng.integers(-128, 128, 11 * 17 * shape[0]).astype(np.int8)
    weights = rng.integers(least, 128, tile.blocks * tile.block_bytes).astype(np.int8)
    for codes, filters in ((image, weights), (np.full_like(image, -128), np.full_like(weights, least))):
        made = kernel(tile)
        np.testing.assert_array_equal(sums_of(made, codes, filters), definition(tile, codes, filters))
    check_registers(made)


def test_two_products_of_minus_128_need_the_kernel_for_any_weights():
    tile = depthwise_tile(*SHAPES[1])
    image, weights = (np.full(size, -128, np.int8) for size in (11 * 17 * 24, tile.blocks * tile.block_bytes))
    assert (sums_of(A64DepthwiseKernel(tile), image, weights) != definition(tile, image, weights)).all()


def test_a_window_takes_thirty_instructions():
    """Without the weights, which are loaded once for each block of channels of a tile."""
    tile = depthwise_tile(8, (3, 3), 1, 1, Tile(1, 4, 1))
    lines = executed(A64DepthwiseKernel(tile).assembly())
    assert len(lines) == 9 + 4 * 30


def test_a_layer_of_a_multiple_of_eight_channels_is_summed_by_it():
    text = [
        assembly("arm", int8_conv, ConvWorkload(1, channels, 8, 8, channels, (3, 3), groups=channels))
        for channels in (16, 12)
    ]
    assert ["saddw" in one and "smlal" in one and ".8b, v" in one for one in text] == [True, False]
