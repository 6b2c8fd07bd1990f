"""Rounded numbers are computed in vectors, not one by one."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import tvm
from tvm import te

from b2nn_tvm.schedules.schedule_module import schedule_function, vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import Records
from b2nn_tvm.tvm_internals import vector_rounding
from b2nn_tvm.tvm_internals.vector_rounding import vectorize_rounding
from tests.support.schedules.compiled import emit

BREAKS = (
    "tirx.nearbyint no longer takes vectors by its attribute TVectorizable: codes of 8 bits are computed one by one;"
    " see b2nn_tvm/tvm_internals/vector_rounding.py"
)


def test_a_row_of_codes_is_rounded_in_vectors():
    """Loops that were taken back to single numbers gather them from far apart, and store single bytes."""
    vectorize_rounding()
    x = te.placeholder((4, 56, 64), name="x")
    code = lambda *place: (tvm.tirx.nearbyint(x(*place) / tvm.tirx.const(0.3, "float32"))).astype("int16")
    unit = vector_unit_named("avx2")
    function = te.create_prim_func([x, te.compute(x.shape, code, name="y")])
    text = emit("x86", schedule_function(function, vector_unit=unit, records=Records(unit.name))[0])
    assert "vroundps" in text and "vpextr" not in text.split("vroundps")[1] and "vgather" not in text, BREAKS


def test_threads_that_build_side_by_side_state_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """TVM fails where an attribute is stated twice."""
    stated: list[bool] = []

    class SlowOperator:
        def get_attr(self, _name: str) -> bool | None:
            found = stated[0] if stated else None
            time.sleep(0.01)
            return found

        def set_attr(self, _name: str, value: bool) -> None:
            stated.append(value)

    monkeypatch.setattr(vector_rounding.Op, "get", lambda _name: SlowOperator())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: vectorize_rounding(), range(4)))
    assert stated == [True]
