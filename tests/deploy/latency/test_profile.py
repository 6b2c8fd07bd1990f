"""What was measured is never lost: samples on disk as they come, rows in the table, and a run that goes on where one
stopped.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from b2nn_tvm.costs.table import CostTable
from b2nn_tvm.deploy.devices.device import Device
from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.latency.effort import Effort
from b2nn_tvm.deploy.latency.profile import profile
from b2nn_tvm.errors import DeviceError, DeviceLost, InputError
from tests.support.boards.ssh_server import SshServer

pytestmark = pytest.mark.usefixtures("short_measurements")


def journal(costs: Path) -> list[dict]:
    (file,) = costs.with_name("costs.json.samples").iterdir()
    return [json.loads(line) for line in file.read_text().splitlines()]


def inferences(costs: Path) -> dict[str, int]:
    """The number of inferences in the journal, whole ones and profiled ones."""
    rows = [row for row in journal(costs) if "run_ms" in row]
    return {kind: sum(len(row[kind]) for row in rows) for kind in ("run_ms", "step_ms")}


class Interrupted(LocalDevice):
    """This machine, until ``after`` rows have come; the exception is what a person or a cable does."""

    def __init__(self, after: int, error: BaseException) -> None:
        super().__init__()
        self.after, self.error = after, error

    def interleave(self, artifacts, **options):
        with contextlib.closing(super().interleave(artifacts, **options)) as rows:
            for row in rows:
                if self.after == 0:
                    self.after -= 1
                    raise self.error
                self.after -= 1
                yield row


EFFORT = Effort(precision=0.5, burst_ms=1.0)


def measured(artifact, costs: Path | None, *, device: Device | None = None, threads: int = 1, runs: int = 1, **options):
    """A quick measurement of at least so many inferences."""
    device = device or LocalDevice()
    return profile(artifact, device=device, threads=threads, effort=replace(EFFORT, runs=runs), costs=costs, **options)


def test_rows_per_layer_and_of_the_whole(artifact, tmp_path):
    costs = tmp_path / "new" / "costs.json"
    found = measured(artifact, costs, threads=2)
    table = CostTable.load(costs)
    assert [(row.layer, row.precision, row.runs, row.threads) for row in table.layers] == [
        ("conv1", "binary", found.profiles, 2),
        ("layer 0", "float", found.profiles, 2),
        ("layer 1", "float", found.profiles, 2),
        ("tail", "float", found.profiles, 2),
    ]
    assert [row.ms for row in table.layers] == [row.undisturbed_ms for row in found.per_layer]
    (network,) = table.networks
    assert (network.binary, network.ms, network.low_ms, network.high_ms, network.device, network.target) == (
        ("conv1",),
        found.undisturbed_ms,
        found.low_ms,
        found.high_ms,
        found.device.cpu,
        "native",
    )
    assert network.fingerprint == LocalDevice().describe().fingerprint and network.device in network.fingerprint
    kept = inferences(costs)
    assert (kept["run_ms"], kept["step_ms"]) == (found.runs, found.profiles)
    measured(artifact, costs, threads=1)  # rows of other places stay
    assert len(CostTable.load(costs).layers) == 8


def test_without_a_table_nothing_is_written(artifact, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert measured(artifact, None, runs=3).runs >= 3
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [DeviceLost("the cable"), KeyboardInterrupt()])
def test_what_came_is_kept_and_only_the_rest_is_measured(artifact, tmp_path, error):
    """Each round has five rows after the first burst of the reference: so this is in the middle of the third round."""
    costs = tmp_path / "costs.json"
    with pytest.raises(type(error)) as caught:
        measured(artifact, costs, device=Interrupted(10, error))
    before = journal(costs)
    assert sum("round" in row for row in before) == 10
    kept = inferences(costs)
    if isinstance(error, DeviceError):
        assert f"{kept['run_ms']} timed inferences are kept: run the same command with --resume" in str(caught.value)
    table = CostTable.load(costs)
    assert {row.runs for row in table.layers} == {kept["step_ms"]} and table.networks[0].runs == kept["run_ms"]
    found = measured(artifact, costs, resume=True)
    assert journal(costs)[: len(before)] == before and found.runs > kept["run_ms"] > 0
    assert {row.runs for row in CostTable.load(costs).layers} == {found.profiles}


def test_a_finished_measurement_is_not_repeated(artifact, tmp_path):
    costs = tmp_path / "costs.json"
    first = measured(artifact, costs)
    again = measured(artifact, costs, device=Interrupted(0, AssertionError()), resume=True)
    assert again.per_layer == first.per_layer
    more = measured(artifact, costs, runs=first.runs + 1, resume=True)
    assert more.runs > first.runs and min(more.runs, more.profiles) > first.runs
    fresh = measured(artifact, costs)  # without resume it is
    assert inferences(costs) == {"run_ms": fresh.runs, "step_ms": fresh.profiles}


def test_half_a_line_counts_for_nothing(artifact, tmp_path):
    costs = tmp_path / "costs.json"
    measured(artifact, costs)
    (file,) = costs.with_name("costs.json.samples").iterdir()
    file.write_bytes(file.read_bytes()[:-5])  # as a power cut leaves it
    found = measured(artifact, costs, resume=True)
    assert inferences(costs) == {"run_ms": found.runs, "step_ms": found.profiles}


def test_other_devices_and_libraries_do_not_mix(artifact, tmp_path, workshop):
    from b2nn_tvm.deploy.library.artifact import load

    costs = tmp_path / "costs.json"
    for net, threads in ((artifact, 1), (artifact, 2), (load(workshop.build("shift_one", name="profiling")), 1)):
        measured(net, costs, threads=threads, resume=True)
    assert len(list(costs.with_name("costs.json.samples").iterdir())) == 3


def test_a_spoilt_table_is_refused_before_it_is_lost(artifact, tmp_path):
    costs = tmp_path / "costs.json"
    costs.write_text("{}")
    with pytest.raises(InputError, match="expected a document of kind 'costs'"):
        measured(artifact, costs)
    assert costs.read_text() == "{}"


class Emulated(LocalDevice):
    """This machine, as it looks from inside an emulator."""

    def describe(self):
        return replace(super().describe(), emulated=True)


@pytest.mark.parametrize("device", [Emulated(), open_device("emulator:cortex-a72")], ids=["rpc or ssh", "emulator"])
def test_emulated_times_never_reach_a_table(artifact, tmp_path, device):
    with pytest.raises(DeviceError, match="an emulator's time is not a latency"):
        measured(artifact, tmp_path / "costs.json", device=device)
    assert not (tmp_path / "costs.json").exists()


def test_a_board_over_ssh_that_is_switched_off_and_on(ssh_server_programs, monkeypatch, artifact, tmp_path):
    server = SshServer(ssh_server_programs)
    monkeypatch.setenv("B2NN_SSH", server.client)
    costs = tmp_path / "costs.json"
    try:
        with open_device(server.address) as device:
            whole, count = device.interleave, itertools.count()

            def interleave(*arguments, **options):
                for row in whole(*arguments, **options):
                    if next(count) == 20:
                        server.disappear()
                    yield row

            monkeypatch.setattr(device, "interleave", interleave)
            with pytest.raises(DeviceError, match="timed inferences are kept: run the same command with --resume"):
                measured(artifact, costs, device=device, runs=1_000_000)
            kept = inferences(costs)
            assert kept["run_ms"] >= 10 and CostTable.load(costs).networks[0].runs == kept["run_ms"]
            server.start()
            monkeypatch.setattr(device, "interleave", whole)
            found = measured(artifact, costs, device=device, resume=True)
            assert found.runs >= kept["run_ms"] and found.profiles >= kept["step_ms"]
    finally:
        server.stop()


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.deploy.latency.effort import Effort
from b2nn_tvm.deploy.latency.profile import profile
from b2nn_tvm.deploy.library.artifact import load

artifact, costs, draw = load(sys.argv[1]), Path(sys.argv[2]), random.Random(0)
for _ in range(20):
    if not (child := os.fork()):
        os.setpgid(0, 0)  # so that the runner is killed with it, as on a board that loses power
        effort = Effort(runs=10**9, precision=0.5, burst_ms=1.0)
        profile(artifact, device=LocalDevice(), threads=1, effort=effort, costs=costs, resume=True)
    time.sleep(draw.uniform(0.02, 0.4))
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    contents = [path.read_bytes() for path in costs.with_name("costs.json.samples").glob("*.jsonl")]
    print(len(contents), sum(content.count(b"\\n") for content in contents), flush=True)
"""


def test_a_program_that_is_killed_at_any_point_loses_the_burst_in_flight_at_most(artifact, tmp_path):
    """Twenty times, at random points; each time the next run keeps every whole line and goes on."""
    command = [sys.executable, "-c", KILLED, str(artifact.folder), str(tmp_path / "costs.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    files, lines = zip(*(map(int, row.split()) for row in done.stdout.splitlines()), strict=True)
    assert set(files) <= {0, 1} and len(lines) == 20 and list(lines) == sorted(lines) and lines[-1] > 20
    (path,) = (tmp_path / "costs.json.samples").iterdir()
    whole = path.read_bytes().rpartition(b"\n")[0]
    found = measured(artifact, tmp_path / "costs.json", resume=True)
    assert path.read_bytes().startswith(whole) and journal(tmp_path / "costs.json")
    assert found.runs == inferences(tmp_path / "costs.json")["run_ms"]
