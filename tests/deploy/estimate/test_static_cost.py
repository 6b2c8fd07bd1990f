"""What a kernel executes is counted exactly; cycles are estimated from it; tiles are chosen by either, and the records
say by which.

The limits are regression gates: instructions and cycles for a thousand multiply-accumulates, a little above what they
were when they were set.
"""

from __future__ import annotations

from functools import cache

import pytest
import tvm
from tvm import te

from b2nn_tvm.deploy.devices.qemu import FOLDER_VARIABLE
from b2nn_tvm.deploy.estimate import static_bench
from b2nn_tvm.deploy.estimate.static_bench import StaticBench
from b2nn_tvm.deploy.estimate.static_cost import cycles_of, execute_function, static_cost
from b2nn_tvm.errors import DeviceError, ToolchainError
from b2nn_tvm.schedules.schedule_module import schedule_function, vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import Records
from b2nn_tvm.schedules.tuning.tune import tune_module
from b2nn_tvm.targets.target import get
from b2nn_tvm.workload import ConvWorkload
from tests.support.schedules.functions import binary_conv, float_conv, winograd

pytestmark = [pytest.mark.emulated, pytest.mark.usefixtures("arm_board")]

CONV = ConvWorkload(1, 256, 14, 14, 64, (3, 3), padding=(1, 1, 1, 1))
STRIDED = ConvWorkload(1, 64, 14, 14, 64, (3, 3), (2, 2), (1, 1, 1, 1))
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


def per_thousand(figure: float, workload: ConvWorkload) -> float:
    return 1000 * figure / workload.macs


def loop(extent: int, target: str) -> tvm.tirx.PrimFunc:
    x = te.placeholder((extent,), name="x")
    return te.create_prim_func([x, te.compute((extent,), lambda i: x[i] + tvm.tirx.const(1, "float32"))])


@pytest.mark.parametrize("target", ["arm", "armv7"])
def test_instructions_are_counted_exactly(target):
    """Twice as many turns of a loop are as many instructions more as the next as many, on every run."""
    counts = [execute_function(loop(extent, target), get(target)).instructions for extent in (4096, 8192, 12288, 8192)]
    assert counts[1] - counts[0] == counts[2] - counts[1] > 4096 / 4
    assert counts[3] == counts[1]


@pytest.mark.parametrize("target, kind, workload", LIMITS, ids=lambda value: getattr(value, "key", value))
def test_instructions_do_not_grow(target, kind, workload):
    limit, _ = LIMITS[target, kind, workload]
    assert 0.8 * limit <= per_thousand(executed(target, kind, workload).instructions, workload) <= limit


@pytest.mark.parametrize("target, kind, workload", LIMITS, ids=lambda value: getattr(value, "key", value))
def test_cycles_do_not_grow(llvm_tools, target, kind, workload):
    for cpu, limit in LIMITS[target, kind, workload][1].items():
        cycles = cycles_of(executed(target, kind, workload), get(target), llvm_tools, cpu=cpu)
        assert 0.8 * limit <= per_thousand(cycles, workload) <= limit, cpu


def test_a_cost_without_the_tools_is_in_instructions(llvm_tools):
    function = loop(4096, "rpi4")
    plain, modelled = (static_cost(function, get("rpi4"), tools=tools) for tools in (None, llvm_tools))
    assert plain.cycles is None and plain.score == plain.instructions == modelled.instructions
    assert modelled.score == modelled.cycles != plain.score


def tune(tmp_path, target: str, records: Records | None = None, seen: list | None = None):
    info = get(target)
    vector_unit = vector_unit_named(info.vector)
    bench = StaticBench(info)
    return tune_module(
        tvm.IRModule({"binary": binary_conv(STRIDED, vector_unit.layout)}),
        target=info,
        vector_unit=vector_unit,
        records=records or Records(vector_unit.name),
        trials=3,
        path=tmp_path / "records.json",
        device=bench.cpu,
        progress=lambda *call: (seen if seen is not None else []).append(call),
        bench=bench,
    )


def test_tiles_are_chosen_by_estimated_cycles_and_the_record_says_so(llvm_tools, tmp_path):
    (record,) = tune(tmp_path, "rpi5").rows.values()
    assert not record.measured and record.device == "cortex-a76"
    assert record.unit == "cycles (static estimate: llvm-mca 19, neoverse-n1 model), not measured"
    assert 10 < per_thousand(record.estimate, STRIDED) < 40
    seen = []
    assert tune(tmp_path, "rpi5", Records("neon").with_record(record), seen).rows == {
        (record.op, record.workload, record.lanes): record
    }
    assert not seen


def test_without_the_tools_tiles_are_chosen_by_instructions(monkeypatch, tmp_path):
    def refuse():
        raise ToolchainError("no llvm-mca")

    monkeypatch.setattr(static_bench, "find_llvm_tools", refuse)
    (record,) = tune(tmp_path, "armv7").rows.values()
    assert record.unit == "instructions executed (emulated), not measured" and record.device == "cortex-a7"
    assert 30 < per_thousand(record.estimate, STRIDED) < 60


def test_without_an_emulator_there_is_no_estimate(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DeviceError, match="make arm-emulator"):
        StaticBench(get("arm"))
