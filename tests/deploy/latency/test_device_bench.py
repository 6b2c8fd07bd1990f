"""Tuning on boards: trials run there as libraries of one kernel, a lost board's go to another, records name the
board's CPU.
"""

from __future__ import annotations

import signal

import pytest
import tvm

from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.deploy.latency.device_bench import DeviceBench
from b2nn_tvm.errors import DeviceError, DeviceLost
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from b2nn_tvm.schedules.tiles import tile_records as records_module
from b2nn_tvm.schedules.tiles.tile_records import load_records
from b2nn_tvm.schedules.tuning.tune import tune_module
from b2nn_tvm.targets.target import get
from b2nn_tvm.workload import ConvWorkload
from tests.support.boards.board_process import BoardProcess
from tests.support.schedules.functions import binary_conv, float_conv

WORKLOAD = ConvWorkload(1, 16, 6, 4, 32, (3, 3), padding=(1, 1, 1, 1))


@pytest.fixture(scope="module")
def target():
    return get("native")


@pytest.fixture(autouse=True)
def nothing_shipped(monkeypatch, tmp_path):
    monkeypatch.setattr(records_module, "SHIPPED", tmp_path / "shipped")


def tune(word, target, path, functions, trials=3):
    vector_unit = vector_unit_named(target.vector)
    with DeviceBench(word, target=target, timeout_s=120) as bench:
        return tune_module(
            tvm.IRModule({make.__name__: make(WORKLOAD, vector_unit.layout) for make in functions}),
            target=target,
            records=load_records(vector_unit.name, path),
            trials=trials,
            path=path,
            device=bench.cpu,
            bench=bench,
        )


def test_kernels_are_tuned_over_ssh(ssh, target, tmp_path):
    tuned = tune(ssh.address, target, tmp_path / "records.json", (binary_conv, float_conv))
    assert len(tuned.rows) == 2
    cpu = LocalDevice().describe().cpu
    assert all(record.device == cpu and 1e-5 < record.ms < 1 for record in tuned.rows.values())
    assert load_records(tuned.vector_unit, tmp_path / "records.json") == tuned
    assert ssh.left_behind() == []


def test_a_board_that_is_lost_leaves_what_was_tuned(target, tmp_path):
    board = BoardProcess(tmp_path)
    vector_unit = vector_unit_named(target.vector)
    stop = lambda phase, done, total: board.signal(signal.SIGKILL) if phase.startswith("tune 2") and done == 0 else None
    try:
        with (
            DeviceBench(board.address, target=target) as bench,
            pytest.raises(DeviceLost, match="the connection was lost"),
        ):
            tune_module(
                tvm.IRModule({make.__name__: make(WORKLOAD, vector_unit.layout) for make in (binary_conv, float_conv)}),
                target=target,
                records=load_records(vector_unit.name),
                trials=3,
                path=tmp_path / "records.json",
                device=bench.cpu,
                progress=stop,
                bench=bench,
            )
    finally:
        board.stop()
    assert len(load_records(vector_unit.name, tmp_path / "records.json").rows) == 1


def test_what_cannot_be_tuned_is_refused_before_any_trial(ssh, target):
    with pytest.raises(DeviceError, match="the code is for target arm .* but this device runs x86_64"):
        DeviceBench(ssh.address, target=get("arm"))
    with pytest.raises(DeviceError, match="an emulator's time is not a latency"):
        DeviceBench("emulator:cortex-a72", target=get("arm"))
    with pytest.raises(DeviceError, match="cannot connect"):
        DeviceBench("rpc://127.0.0.1:1", target=target)
