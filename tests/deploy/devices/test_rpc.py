"""Devices over TVM's RPC, against real b2nn-device processes: what they give equals this machine's, every failure
says why.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from b2nn_tvm.deploy.devices.bursts import REFERENCE, BurstSettings
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.devices.samples import MeasurementSettings
from b2nn_tvm.deploy.devices.system_facts import describe, read_facts
from b2nn_tvm.deploy.latency.measure import measure
from b2nn_tvm.deploy.library.artifact import Artifact, load
from b2nn_tvm.deploy.library.build_library import build_library
from b2nn_tvm.deploy.library.library_files import LIBRARY, RUNNER
from b2nn_tvm.errors import DeviceError, DeviceLost, InputError
from b2nn_tvm.targets import target as targets
from tests.support.boards import mounted_folder
from tests.support.deploy.burst_checks import check_rows
from tests.support.deploy.handmade import expected, program

ENDLESS = MeasurementSettings(runs=1_000_000, warmup=0)
ENDLESS_BURSTS = BurstSettings(rounds=1_000_000, burst_ms=1)
HANGS_S = 3  # a board on a machine that is busy with something else answers sooner


def test_outputs_are_those_of_this_machine(board, artifact, x):
    with open_device(board.address) as device:
        for threads in (1, 2):
            outputs = device.run(artifact, {"input": x}, threads=threads)
            np.testing.assert_array_equal(outputs["output"], expected(x) + 1)
            assert int(outputs["tasks"]) == threads
            outputs["output"][:] = 0  # the arrays are the caller's
        with pytest.raises(InputError, match="missing: input"):
            device.run(artifact, {})


def test_a_measurement_is_one_as_here(board, artifact):
    with open_device(board.address) as device:
        found = measure(artifact, device=device, threads=2, runs=7, precision=0.5)
        assert min(found.runs, found.profiles) >= 7 and found.threads == 2
        assert [row.name for row in found.per_layer] == ["conv1", "layer 0", "layer 1", "tail"]
        assert 0 < found.min_ms <= found.p10_ms <= found.median_ms <= found.p90_ms
        assert found.device == device.describe() == describe(board.address, read_facts())


def test_nothing_stays_there(board, artifact, x):
    with open_device(board.address) as device:
        device.run(artifact, {"input": x})
        rows = device.sample(artifact, threads=1, effort=ENDLESS)
        next(rows)
        assert len(board.left_behind(wait_s=0)) == 1 and len(board.processes()) == 3
        rows.close()
        assert len(board.processes()) == 2
        device.run(artifact, {"input": x})
    assert board.left_behind() == []
    assert len(board.processes()) == 1


def test_a_board_that_disappears_is_an_error_after_what_came(start_board, artifact, x):
    board = start_board()
    with open_device(board.address) as device:
        came = []
        with pytest.raises(DeviceLost, match=f"^{board.address}: the connection was lost"):
            for sample in device.sample(artifact, threads=1, effort=ENDLESS):
                came.append(sample)
                if len(came) == 50:
                    board.signal(signal.SIGKILL)
        assert len(came) >= 50
        with pytest.raises(
            DeviceError, match=f'start "b2nn-device --port {board.port}" on the board.*forward the port'
        ):
            device.run(artifact, {"input": x})


@pytest.mark.parametrize("victim", ["the run", "the board"])
def test_one_that_hangs_is_given_up(start_board, artifact, x, victim):
    board = start_board()
    with open_device(board.address, timeout_s=HANGS_S) as device:
        rows = device.sample(artifact, threads=1, effort=ENDLESS)
        next(rows)
        if victim == "the run":
            run = board.processes()[-1]
            run.suspend()
        else:
            board.signal(signal.SIGSTOP)
        start = time.monotonic()
        message = "no row for {} s.*allow more time" if victim == "the run" else "no answer for {} s"
        with pytest.raises(DeviceLost, match=message.format(HANGS_S)):
            list(rows)
        assert time.monotonic() - start < 180
        if victim == "the run":
            assert len(board.processes()) == 2
            device.run(artifact, {"input": x})  # the board serves on


def test_a_full_disk_is_named(start_board, artifact, tmp_path):
    (tmp_path / "full").mkdir()
    board = start_board(
        command=(*mounted_folder.words(tmp_path / "full"), sys.executable), TMPDIR=str(tmp_path / "full")
    )
    padded = tmp_path / "padded"
    shutil.copytree(artifact.folder, padded)
    with (padded / LIBRARY).open("ab") as library:
        library.write(bytes(70_000))
    refused = pytest.raises(DeviceError, match=r"the board says OSError: \[Errno 28\] No space left on device")
    with open_device(board.address) as device, refused:
        device.upload(Artifact(padded, artifact.manifest))


def test_a_library_that_does_not_fit_is_refused_before_it_is_sent(board, artifact):
    def refusal(**changes) -> str:
        with pytest.raises(DeviceError) as caught:
            device.upload(Artifact(artifact.folder, replace(artifact.manifest, **changes)))
        return str(caught.value)

    with open_device(board.address) as device:
        assert "this device runs x86_64" in refusal(target=targets.get("arm"))
        assert "lacks tbm8" in refusal(target=replace(artifact.target, requires=("tbm8",)))


def test_a_network_that_fails_says_why_and_the_board_serves_on(board, workshop, artifact, x):
    failing = load(workshop.build("fail_if_negative", "shift_one", name="rpc-fails"))
    source, kernels, target = workshop.folder / "crash.c", workshop.folder / "crash.o", workshop.target()
    source.write_text(
        "int scale(void *x, void *c, void *o) { __builtin_trap(); }\nint count_tasks(void *o) { *(int *)o = 1; return"
        " 0; }\n"
    )
    workshop.compile(target, "-O1", "-fPIC", "-c", str(source), "-o", str(kernels))
    build_library(program(), [kernels.read_bytes()], target, workshop.folder / "crash")
    with open_device(board.address) as device:
        with pytest.raises(DeviceError, match=r"step 1 \(fail_if_negative, layer layer 0\) failed"):
            device.run(failing, {"input": np.ones_like(x)})
        with pytest.raises(DeviceError, match="stopped by signal 4: it uses an instruction that this CPU lacks"):
            device.run(load(workshop.folder / "crash"), {"input": x})
        device.run(artifact, {"input": x})


@pytest.mark.parametrize("word", ["rpc://", "rpc://host", "rpc://host:port", "rpc://a b:1", "rpc://user@host:1"])
def test_misspelled_words_are_refused(word):
    with pytest.raises(DeviceError, match="expected rpc://host:port"):
        open_device(word)


@pytest.mark.parametrize(("threads", "profiled"), [(1, False), (2, True)])
def test_networks_take_turns_in_bursts(board, family, threads, profiled):
    settings = BurstSettings(rounds=3, burst_ms=1.5, seed=11, profiled=profiled)
    with open_device(board.address) as device:
        for _ in range(2):
            rows = device.interleave(family, reference=family[1], threads=threads, settings=settings)
            check_rows(rows, [len(each.manifest.steps) for each in family], settings)
    assert board.left_behind() == []


def test_bursts_that_are_broken_off_leave_nothing_there(board, family, artifact, x):
    with open_device(board.address) as device:
        rows = device.interleave(family, reference=family[0], threads=1, settings=ENDLESS_BURSTS)
        assert next(rows).network == REFERENCE
        assert [each.name() for each in board.processes()[2:]] == [RUNNER]
        rows.close()
        assert len(board.processes()) == 2
        device.run(artifact, {"input": x})
    assert board.left_behind() == []


def test_a_board_that_disappears_between_bursts_is_lost_after_what_came(start_board, family):
    board, came = start_board(), []
    lost = pytest.raises(DeviceLost, match=f"^{board.address}: the connection was lost")
    with open_device(board.address) as device, lost:
        for row in device.interleave(family, reference=family[0], threads=1, settings=ENDLESS_BURSTS):
            came.append(row)
            if len(came) == 5:
                board.signal(signal.SIGKILL)
    assert len(came) >= 5


def test_a_program_that_is_killed_between_bursts_says_why(board, family):
    came = []
    with open_device(board.address) as device, pytest.raises(DeviceError, match="the run was killed .* out of memory"):
        for row in device.interleave(family, reference=family[0], threads=1, settings=ENDLESS_BURSTS):
            came.append(row)
            if len(came) == 5:
                board.processes()[-1].kill()


def test_bursts_need_networks_that_fit_and_run(board, workshop, artifact):
    foreign = Artifact(artifact.folder, replace(artifact.manifest, target=targets.get("armv7")))
    failing = load(workshop.build("ask_too_much", "shift_one", name="rpc interleave fails"))
    with open_device(board.address) as device:
        for each, message in (
            (foreign, f"{artifact.folder} is compiled for target armv7 .* this device runs x86"),
            (failing, r"step 1 \(ask_too_much, layer layer 0\) failed"),
        ):
            with pytest.raises(DeviceError, match=message):
                next(device.interleave([each], reference=artifact, threads=1, settings=ENDLESS_BURSTS))
