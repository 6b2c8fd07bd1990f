"""Tiles are chosen by estimated cycles or by instructions, and the records say by which."""

from __future__ import annotations

import pytest
import tvm

from b2nn_tvm.deploy.devices.qemu import FOLDER_VARIABLE
from b2nn_tvm.deploy.estimate import static_bench
from b2nn_tvm.deploy.estimate.static_bench import StaticBench
from b2nn_tvm.errors import DeviceError, ToolchainError
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import Records
from b2nn_tvm.schedules.tuning.tune import tune_module
from b2nn_tvm.targets.target import get
from tests.support.deploy.estimates import STRIDED, per_thousand
from tests.support.schedules.functions import binary_conv

pytestmark = [pytest.mark.emulated, pytest.mark.usefixtures("arm_board")]


def tune(tmp_path, target: str, records: Records | None = None, seen: list | None = None):
    info = get(target)
    vector_unit = vector_unit_named(info.vector)
    bench = StaticBench(info)
    return tune_module(
        tvm.IRModule({"binary": binary_conv(STRIDED, vector_unit.layout)}),
        target=info,
        records=records or Records(vector_unit.name),
        trials=3,
        path=tmp_path / "records.json",
        device=bench.cpu,
        progress=lambda *call: (seen if seen is not None else []).append(call),
        bench=bench,
    )


@pytest.mark.sweep
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
