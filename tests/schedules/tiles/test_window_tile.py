"""What a micro-kernel reads and writes: the offsets of windows, by hand."""

from __future__ import annotations

from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.window_tile import product_tile, window_tile


def test_tiles_of_a_winograd_product_stand_a_transform_apart():
    tile = product_tile(7, 4, 10, tile=Tile(2, 2, 1), lanes=4)
    apart = 4 * 4 * 10 * 4
    assert tile.pixels == (0, apart, 7 * apart, 8 * apart)
    assert (tile.rows, tile.runs, tile.run_bytes, tile.block_bytes) == (1, (0,), 40, 160)


def test_neighbouring_taps_are_one_run_and_rows_stand_a_row_of_the_image_apart():
    """An image of 10x12 pixels of 8 bytes, and two rows of two pixels of it, two apart."""
    tile = window_tile((1, 10, 12, 8), (3, 5), stride=(2, 2), dilation=(1, 1), tile=Tile(2, 2, 1), lanes=16)
    row = 12 * 8
    assert tile.pixels == (0, 16, 2 * row, 2 * row + 16)
    assert (tile.rows, tile.row_stride, tile.runs, tile.run_bytes) == (3, row, (0,), 5 * 8)
    assert tile.block_bytes == 3 * 5 * 8 * 16


def test_taps_with_gaps_are_runs_of_their_own():
    tile = window_tile((1, 10, 12, 8), (3, 3), stride=(1, 1), dilation=(2, 3), tile=Tile(1, 1, 4), lanes=16)
    assert (tile.runs, tile.run_bytes, tile.row_stride) == ((0, 24, 48), 8, 2 * 12 * 8)
    assert (tile.blocks, tile.block_bytes) == (4, 3 * 3 * 8 * 16)


def test_a_kernel_of_one_column_has_no_gaps():
    tile = window_tile((1, 10, 12, 8), (3, 1), stride=(1, 1), dilation=(1, 3), tile=Tile(1, 1, 1), lanes=16)
    assert (tile.runs, tile.run_bytes) == ((0,), 8)


def test_a_window_of_a_group_reads_its_channels_of_each_pixel():
    """4 of the 8 bytes of a pixel: taps beside one another do not lie beside one another in memory."""
    tile = window_tile(
        (1, 10, 12, 8), (3, 2), stride=(1, 1), dilation=(1, 1), tile=Tile(1, 2, 2), lanes=16, channel_bytes=4
    )
    assert (tile.pixels, tile.runs, tile.run_bytes, tile.row_stride) == ((0, 8), (0, 8), 4, 12 * 8)
    assert tile.block_bytes == 3 * 2 * 4 * 16
