"""Tiles: exactly those that divide the output and fit the registers."""

import itertools

import pytest

from b2nn_tvm.schedules.tiles.tile import Tile, divisors, tiles


@pytest.mark.parametrize(("n", "expected"), [(1, (1,)), (7, (1, 7)), (28, (1, 2, 4, 7, 14, 28)), (33, (1, 3, 11, 33))])
def test_divisors(n, expected):
    assert divisors(n) == expected


def test_a_tile_counts_its_sums_and_has_a_word():
    tile = Tile(2, 7, 3)
    assert (tile.pixels, tile.accumulators, tile.word) == (14, 42, "2x7x3")


@pytest.mark.parametrize(
    ("height", "width", "blocks", "accumulators"), [(1, 1, 1, 1), (6, 4, 3, 8), (7, 7, 32, 28), (13, 11, 1, 16)]
)
def test_tiles_are_all_that_divide_and_fit(height, width, blocks, accumulators):
    found = tiles(height, width, blocks, accumulators=accumulators)
    expected = {
        Tile(r, c, b)
        for r, c, b in itertools.product(range(1, height + 1), range(1, width + 1), range(1, blocks + 1))
        if height % r == width % c == blocks % b == 0 and r * c * b <= accumulators
    }
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_of_a_wide_prime_width_one_column_may_be_left_over():
    only = lambda width, **options: {tile.columns for tile in tiles(4, width, 2, accumulators=12, **options)}
    assert only(31) == {1} and only(31, allow_leftover_column=True) == {1, 2, 3, 5, 6, 10}
    assert only(13, allow_leftover_column=True) == {1, 2, 3, 4, 6, 12}
    assert only(11, allow_leftover_column=True) == {1, 11} and only(32, allow_leftover_column=True) == only(
        32
    )  # a row fits, a width has divisors
