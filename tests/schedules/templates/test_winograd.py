"""Winograd convolutions: which of their loops threads share."""

from __future__ import annotations

import pytest
from tvm.s_tir import Schedule

from b2nn_tvm.schedules.anchor import find_anchor
from b2nn_tvm.schedules.schedule_module import apply_tile, vector_unit_named
from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.workload import ConvWorkload
from tests.support.schedules.functions import winograd
from tests.support.schedules.inputs import parallel_loops

NEON = vector_unit_named("neon")


@pytest.mark.parametrize(("channels", "rows", "loops"), [(256, 1, 1), (256, 7, 3), (16, 1, 1), (16, 7, 0)])
def test_where_few_groups_of_rows_make_the_image_winograd_shares_out_each_of_its_parts(channels, rows, loops):
    """Not so where there is little work: the parts hand the whole image on."""
    workload = ConvWorkload(1, channels, 14, 14, channels, (3, 3), padding=(1, 1, 1, 1))
    sch = Schedule(winograd(workload, NEON.layout))
    apply_tile(sch, find_anchor(sch), Tile(rows, 1, 2), vector_unit=NEON)
    assert parallel_loops(sch.mod["main"]) == loops
