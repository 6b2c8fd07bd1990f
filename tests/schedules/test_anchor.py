"""The anchor of a function is found, with all that a schedule is chosen by."""

from __future__ import annotations

import pytest
from tvm import te, topi
from tvm.s_tir import Schedule

from b2nn_tvm.schedules.anchor import find_anchor
from b2nn_tvm.schedules.schedule_module import schedule_function, vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import Records
from b2nn_tvm.workload import ConvWorkload
from tests.support.schedules.functions import binary_conv, float_conv, winograd

SMALL = ConvWorkload(2, 40, 6, 4, 64, (3, 3), padding=(1, 1, 1, 1))
NEON = vector_unit_named("neon")


@pytest.mark.parametrize(
    ("make", "op", "kind", "height", "width", "updates"),
    [
        (binary_conv, "bconv2d_bytes", "binary", 6, 4, 2 * 24 * 64 * 9 * 5 // 16),
        (float_conv, "conv2d", "float", 6, 4, 2 * 24 * 64 * 9 * 40 // 4),
        (winograd, "winograd_conv2d", "winograd", 3, 2, 2 * 6 * 64 * 16 * 40 // 4),
    ],
)
def test_the_anchor_is_found_behind_its_helpers(make, op, kind, height, width, updates):
    anchor = find_anchor(Schedule(make(SMALL, NEON.layout)))
    assert (anchor.op, anchor.kind, anchor.workload) == (op, kind, SMALL.key)
    assert (anchor.height, anchor.width, anchor.updates) == (height, width, updates)
    assert anchor.blocks * anchor.lanes == 64


def test_words_and_bytes_have_anchors_of_their_own():
    anchor = find_anchor(Schedule(binary_conv(SMALL, vector_unit_named("avx512vpopcntdq").layout)))
    assert (anchor.op, anchor.lanes, anchor.blocks) == ("bconv2d_words", 16, 4)


def test_without_a_convolution_there_is_no_anchor():
    x = te.placeholder((1, 4, 4, 8), name="x")
    function = te.create_prim_func([x, topi.nn.relu(x)])
    assert find_anchor(Schedule(function)) is None
    _, description = schedule_function(function, vector_unit=NEON, records=Records("neon"))
    assert description == "generic"


def test_the_tiles_of_a_winograd_convolution_are_those_of_its_marked_size():
    workload = ConvWorkload(1, 16, 8, 8, 16, (3, 3), padding=(1, 1, 1, 1))
    for m, tiles in ((2, 4), (4, 2)):
        anchor = find_anchor(Schedule(winograd(workload, NEON.layout, m)))
        assert (anchor.height, anchor.width, anchor.blocks) == (tiles, tiles, 4)
