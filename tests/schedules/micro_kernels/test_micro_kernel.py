"""The code of a micro-kernel: its name, and how a tile's parts are grouped."""

from __future__ import annotations

import pytest

from b2nn_tvm.schedules.micro_kernels.micro_kernel import kernel_ir
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from tests.support.schedules.micro_kernels import popcount_tile

UNITS = ("neon", "neon_armv7")


@pytest.mark.parametrize("name", UNITS)
def test_equal_code_has_an_equal_name(name):
    """Layers of one shape share the function, whatever is fused behind them."""
    make = vector_unit_named(name).popcount
    first, again, other = (kernel_ir(make(popcount_tile(size)))[0] for size in (8, 8, 16))
    assert first == again != other
