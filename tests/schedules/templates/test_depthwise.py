"""Rows of pixels of 8-bit depthwise layers: which are worth measuring, and the call in place of the loops."""

from __future__ import annotations

import re

import pytest
from tvm.s_tir import Schedule

from b2nn_tvm.kernel_attrs import Window
from b2nn_tvm.ops.vector_layout import CodeLayout
from b2nn_tvm.schedules.anchor import find_anchor
from b2nn_tvm.schedules.schedule_module import apply_tile, candidates, vector_unit_named
from b2nn_tvm.schedules.templates.depthwise import DepthwiseWindow, depthwise_tiles
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops.codes import int8_conv

SMALL = ConvWorkload(1, 96, 14, 14, 96, (3, 3), padding=(1, 1, 1, 1), groups=96)


def window(kernel: int = 3, *, stride: int = 1, dilation: int = 1) -> DepthwiseWindow:
    return DepthwiseWindow((kernel, kernel), Window((stride, stride), (dilation, dilation)))


def test_a_row_reads_the_columns_under_its_windows():
    assert [window().columns(pixels) for pixels in (1, 2, 28)] == [3, 4, 30]
    assert window(5, stride=2, dilation=3).columns(4) == 3 * 2 + 4 * 3 + 1


def test_the_default_row_loads_each_column_once_in_the_widest_registers():
    bytes_, pairs = CodeLayout("uint8", 4, taps=4), CodeLayout("int16", 2, taps=2)
    assert depthwise_tiles(window(), 28, 16, lanes=16, codes=bytes_)[0] == Tile(1, 28, 4)
    assert depthwise_tiles(window(), 14, 9, lanes=16, codes=bytes_)[0] == Tile(1, 14, 9)
    assert depthwise_tiles(window(), 7, 3, lanes=8, codes=pairs)[0] == Tile(1, 7, 3)


def test_a_vector_of_eight_bytes_takes_a_neighbour_along():
    tiles = depthwise_tiles(window(), 4, 6, lanes=8, codes=CodeLayout("uint8", 4, taps=4))
    assert {tile.blocks for tile in tiles} == {2, 6}


def test_windows_beyond_the_first_level_cache_are_summed_by_loops():
    assert depthwise_tiles(window(31, dilation=9), 8, 4, lanes=16, codes=CodeLayout("int16", 2, taps=2)) == ()


@pytest.mark.parametrize(
    ("name", "calls"), [("avx2", 1), ("avxvnni", 1), ("avx512vpopcntdq", 1), ("avx512", 0), ("neon", 1)]
)
def test_the_call_stands_in_place_of_the_loops(name, calls):
    vector_unit = vector_unit_named(name)
    sch = Schedule(int8_conv(SMALL, vector_unit.layout))
    anchor = find_anchor(sch)
    apply_tile(sch, anchor, candidates(anchor, vector_unit)[0], vector_unit=vector_unit)
    assert len(re.findall(r'T.call_extern\("int32", "b2nn_depthwise_\w+"', sch.mod["main"].script())) == calls
