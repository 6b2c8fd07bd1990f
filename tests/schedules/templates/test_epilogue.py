"""What follows a convolution is computed in its tile, in whole registers."""

from __future__ import annotations

import re

import pytest

from b2nn_tvm.schedules.schedule_module import vector_unit_named
from b2nn_tvm.targets.target import get
from b2nn_tvm.workload import ConvWorkload
from tests.support.schedules.compiled import assembly
from tests.support.schedules.functions import binary_conv


@pytest.mark.parametrize(
    ("isa", "multiply"),
    [
        ("x86", r"\tvmulps\t.*%ymm"),
        ("x86-avx512", r"\tvmulps\t.*%zmm"),
        ("x86-vpopcntdq", r"\tvmulps\t.*%zmm"),
        ("arm", r"\tfmul\tv\d+\.4s"),
    ],
)
def test_the_epilogue_works_on_whole_registers(isa, multiply):
    """Each of the results of a tile is scaled once: 2 x 2 pixels of 32 filters."""
    text = assembly(isa, binary_conv, ConvWorkload(1, 64, 2, 2, 32, (3, 3), padding=(1, 1, 1, 1)))
    lanes = vector_unit_named(get(isa).vector).layout.float_lanes
    assert 1 <= len(re.findall(multiply, text)) <= 4 * 32 // lanes
    assert not re.search(r"\tvmulss|\tfmul\ts\d", text)
