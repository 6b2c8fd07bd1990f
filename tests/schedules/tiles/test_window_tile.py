"""What a micro-kernel reads and writes: the offsets of windows, by hand."""

from __future__ import annotations

from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.window_tile import product_tile


def test_tiles_of_a_winograd_product_stand_a_transform_apart():
    tile = product_tile(7, 4, 10, tile=Tile(2, 2, 1), lanes=4)
    apart = 4 * 4 * 10 * 4
    assert tile.pixels == (0, apart, 7 * apart, 8 * apart)
    assert (tile.rows, tile.runs, tile.run_bytes, tile.block_bytes) == (1, (0,), 40, 160)
