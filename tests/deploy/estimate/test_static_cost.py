"""The cost of a kernel: what it executes, and the cycles that are estimated from that.

The limits are regression gates: instructions and cycles for a thousand multiply-accumulates, a little above what they
were when they were set.
"""

from __future__ import annotations

from functools import cache

import pytest

from b2nn_tvm.deploy.estimate.static_cost import cycles_of, execute_function, static_cost
from b2nn_tvm.schedules.schedule_module import schedule_function, vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import Records
from b2nn_tvm.targets.target import get
from b2nn_tvm.workload import ConvWorkload
from tests.support.deploy.estimates import STRIDED, loop, per_thousand
from tests.support.schedules.functions import binary_conv, float_conv, winograd

pytestmark = [pytest.mark.emulated, pytest.mark.usefixtures("arm_board")]

CONV = ConvWorkload(1, 256, 14, 14, 64, (3, 3), padding=(1, 1, 1, 1))
MAKE = {"binary": binary_conv, "float": float_conv, "winograd": winograd}
# target, kernel: instructions, and cycles by CPU. A float multiply-accumulate of NEON is a quarter of an instruction.
LIMITS = {
    ("arm", "binary", CONV): (30.7, {"cortex-a53": 32.2, "cortex-a72": 13.9, "cortex-a76": 14.1}),
    ("arm", "float", STRIDED): (318, {"cortex-a53": 352, "cortex-a72": 259, "cortex-a76": 131}),
    ("arm", "winograd", CONV): (151, {"cortex-a53": 166, "cortex-a72": 122, "cortex-a76": 63}),
    ("armv7", "binary", CONV): (30.7, {"cortex-a7": 18.4}),
    ("armv7", "float", STRIDED): (375, {"cortex-a7": 188}),
}


@cache
def executed(target: str, kind: str, workload: ConvWorkload):
    info = get(target)
    vector_unit = vector_unit_named(info.vector)
    function, _ = schedule_function(
        MAKE[kind](workload, vector_unit.layout), vector_unit=vector_unit, records=Records(vector_unit.name)
    )
    return execute_function(function, info)


@pytest.mark.parametrize(("target", "kind", "workload"), LIMITS, ids=lambda value: getattr(value, "key", value))
def test_instructions_do_not_grow(target, kind, workload):
    limit, _ = LIMITS[target, kind, workload]
    assert 0.8 * limit <= per_thousand(executed(target, kind, workload).instructions, workload) <= limit


@pytest.mark.sweep
@pytest.mark.parametrize(("target", "kind", "workload"), LIMITS, ids=lambda value: getattr(value, "key", value))
def test_cycles_do_not_grow(llvm_tools, target, kind, workload):
    for cpu, limit in LIMITS[target, kind, workload][1].items():
        cycles = cycles_of(executed(target, kind, workload), get(target), llvm_tools, cpu=cpu)
        assert 0.8 * limit <= per_thousand(cycles, workload) <= limit, cpu


def test_a_cost_without_the_tools_is_in_instructions(llvm_tools):
    function = loop(4096, "rpi4")
    plain, modelled = (static_cost(function, get("rpi4"), tools=tools) for tools in (None, llvm_tools))
    assert plain.cycles is None and plain.score == plain.instructions == modelled.instructions
    assert modelled.score == modelled.cycles != plain.score
