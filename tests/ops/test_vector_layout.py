"""How many filters and channels a vector holds, by the size of the layer."""

from __future__ import annotations

import pytest

from b2nn_tvm.schedules.schedule_module import vector_unit_named

UNITS = ("neon", "neon_armv7")


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("outputs, lanes", [(10, 16), (32, 32), (96, 48), (128, 64), (80, 48)])
def test_a_vector_is_as_many_registers_as_make_the_fewest_operations(name, outputs, lanes):
    assert vector_unit_named(name).layout.binary_lanes(outputs) == lanes
