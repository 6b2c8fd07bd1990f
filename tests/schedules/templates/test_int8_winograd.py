"""Rows of tiles of 8-bit Winograd layers: which are worth measuring, and the call in place of the loops."""

from __future__ import annotations

import re

import pytest
from tvm.s_tir import Schedule

from b2nn_tvm.schedules.anchor import find_anchor
from b2nn_tvm.schedules.schedule_module import apply_tile, candidates, vector_unit_named
from b2nn_tvm.schedules.templates.int8_winograd import int8_winograd_tiles
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops.codes import int8_strided_winograd, int8_winograd


def test_rows_of_about_ten_tiles_take_all_filters():
    assert int8_winograd_tiles(56, 56, 8, m=4, weights=36 * 64 * 64 * 2)[0] == Tile(4, 56, 8)
    assert int8_winograd_tiles(28, 28, 16, m=4, weights=36 * 128 * 128 * 2)[0] == Tile(4, 28, 16)


def test_many_weights_are_read_for_the_whole_image_and_threads_share_the_filters():
    assert int8_winograd_tiles(14, 14, 32, m=2, weights=1 << 21)[0] == Tile(14, 14, 8)


def test_an_image_that_tiles_do_not_divide_is_taken_whole():
    assert {tile.rows for tile in int8_winograd_tiles(7, 8, 4, m=2, weights=1)} == {7}
    assert {tile.columns for tile in int8_winograd_tiles(7, 8, 4, m=2, weights=1)} == {2, 4, 8}
    assert int8_winograd_tiles(55, 55, 2, m=4, weights=1)[0].pixels == 55 * 55  # 196 tiles, for want of fewer


def test_a_call_of_stride_2_takes_many_tiles_as_it_transforms_the_weights():
    assert int8_winograd_tiles(28, 28, 16, m=2, weights=9 * 64 * 128, strided=True)[0] == Tile(14, 14, 16)
    assert int8_winograd_tiles(14, 14, 32, m=2, weights=9 * 128 * 256, strided=True)[0] == Tile(14, 14, 16)


@pytest.mark.parametrize("name", ["avx2", "avx512"])
def test_the_call_of_stride_2_stands_in_place_of_the_loops(name):
    vector_unit = vector_unit_named(name)
    workload = ConvWorkload(1, 32, 9, 8, 32, (3, 3), (2, 2), (1, 1, 1, 1))
    sch = Schedule(int8_strided_winograd(workload, vector_unit.layout))
    anchor = find_anchor(sch)
    assert anchor.strided
    apply_tile(sch, anchor, candidates(anchor, vector_unit)[0], vector_unit=vector_unit)
    text = sch.mod["main"].script()
    assert len(re.findall(r'T.call_extern\("int32", "b2nn_strided_winograd_\w+"', text)) == 1


@pytest.mark.parametrize("name", ["avx2", "avxvnni", "avx512", "avx512vpopcntdq"])
def test_the_call_stands_in_place_of_the_loops(name):
    vector_unit = vector_unit_named(name)
    sch = Schedule(int8_winograd(ConvWorkload(1, 32, 8, 8, 32, (3, 3), padding=(1, 1, 1, 1)), vector_unit.layout, m=4))
    anchor = find_anchor(sch)
    apply_tile(sch, anchor, candidates(anchor, vector_unit)[0], vector_unit=vector_unit)
    text = sch.mod["main"].script()
    assert len(re.findall(r'T.call_extern\("int32", "b2nn_winograd_\w+"', text)) == 1
    assert 'scope="local"' not in text  # sums and scratch memory would be too much for a thread's stack


def test_a_unit_without_the_form_says_so():
    vector_unit = vector_unit_named("neon")
    sch = Schedule(int8_winograd(ConvWorkload(1, 32, 8, 8, 32, (3, 3)), vector_unit.layout, m=2))
    with pytest.raises(ValueError, match="neon has no Winograd form of 8-bit layers"):
        apply_tile(sch, find_anchor(sch), Tile(2, 6, 8), vector_unit=vector_unit)
