"""What was measured is never lost: samples on disk as they come, rows in the table, and a run that goes on where one
stopped.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from b2nn_tvm.costs.table import CostTable
from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.latency.profile import profile
from b2nn_tvm.errors import DeviceError, DeviceLost, InputError
from tests.support.boards.ssh_server import SshServer


def journal(costs: Path) -> list[dict]:
    (file,) = costs.with_name("costs.json.samples").iterdir()
    return [json.loads(line) for line in file.read_text().splitlines()]


class Interrupted(LocalDevice):
    """This machine, until ``after`` samples have come; the exception is what a person or a cable does."""

    def __init__(self, after: int, error: BaseException, spares: bool = False) -> None:
        super().__init__()
        self.after, self.error, self.has_replacements = after, error, spares

    def _sample(self, artifact, *, threads, effort):
        for sample in super()._sample(artifact, threads=threads, effort=effort):
            if self.after == 0:
                self.after -= 1
                raise self.error
            self.after -= 1
            yield sample


def test_rows_per_layer_and_of_the_whole(artifact, tmp_path):
    costs = tmp_path / "new" / "costs.json"
    found = profile(artifact, device=LocalDevice(), threads=2, runs=6, costs=costs)
    table = CostTable.load(costs)
    assert [(row.layer, row.precision, row.runs, row.threads) for row in table.layers] == [
        ("conv1", "binary", 6, 2),
        ("layer 0", "float", 6, 2),
        ("layer 1", "float", 6, 2),
        ("tail", "float", 6, 2),
    ]
    assert [row.ms for row in table.layers] == [row.median_ms for row in found.per_layer]
    (network,) = table.networks
    assert (network.binary, network.ms, network.device, network.target) == (
        ("conv1",),
        found.median_ms,
        found.device.cpu,
        "native",
    )
    assert len(journal(costs)) == 12
    profile(artifact, device=LocalDevice(), threads=1, runs=3, costs=costs)  # rows of other places stay
    assert len(CostTable.load(costs).layers) == 8


def test_without_a_table_nothing_is_written(artifact, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert profile(artifact, device=LocalDevice(), threads=1, runs=3).runs == 3
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [DeviceLost("the cable"), KeyboardInterrupt()])
def test_what_came_is_kept_and_only_the_rest_is_measured(artifact, tmp_path, error):
    """Eight whole runs and three with every kernel timed, then five more of both."""
    costs = tmp_path / "costs.json"
    with pytest.raises(type(error)) as caught:
        profile(artifact, device=Interrupted(11, error), threads=1, runs=8, costs=costs)
    if isinstance(error, DeviceError):
        assert "11 samples are kept: run the same command with --resume" in str(caught.value)
    before = journal(costs)
    assert len(before) == 11
    table = CostTable.load(costs)
    assert {row.runs for row in table.layers} == {3} and table.networks[0].runs == 8
    found = profile(artifact, device=LocalDevice(), threads=1, runs=8, costs=costs, resume=True)
    assert journal(costs)[:11] == before and len(journal(costs)) == 21
    assert (found.runs, found.profiles) == (13, 8)
    assert {row.runs for row in CostTable.load(costs).layers} == {8}


def test_a_finished_measurement_is_not_repeated(artifact, tmp_path):
    costs = tmp_path / "costs.json"
    first = profile(artifact, device=LocalDevice(), threads=1, runs=4, costs=costs)
    again = profile(artifact, device=Interrupted(0, AssertionError()), threads=1, runs=4, costs=costs, resume=True)
    assert again.per_layer == first.per_layer
    fresh = profile(artifact, device=LocalDevice(), threads=1, runs=3, costs=costs)  # without resume it is
    assert fresh.runs == 3 and len(journal(costs)) == 6


def test_half_a_line_counts_for_nothing(artifact, tmp_path):
    costs = tmp_path / "costs.json"
    profile(artifact, device=LocalDevice(), threads=1, runs=4, costs=costs)
    (file,) = costs.with_name("costs.json.samples").iterdir()
    file.write_bytes(file.read_bytes()[:-5])  # as a power cut leaves it
    found = profile(artifact, device=LocalDevice(), threads=1, runs=4, costs=costs, resume=True)
    assert (found.runs, found.profiles) == (5, 4)
    assert len(journal(costs)) == 9


def test_other_devices_and_libraries_do_not_mix(artifact, tmp_path, workshop):
    from b2nn_tvm.deploy.library.artifact import load

    costs = tmp_path / "costs.json"
    for net, threads in ((artifact, 1), (artifact, 2), (load(workshop.build("shift_one", name="profiling")), 1)):
        profile(net, device=LocalDevice(), threads=threads, runs=2, costs=costs, resume=True)
    assert len(list(costs.with_name("costs.json.samples").iterdir())) == 3


def test_a_spoilt_table_is_refused_before_it_is_lost(artifact, tmp_path):
    costs = tmp_path / "costs.json"
    costs.write_text("{}")
    with pytest.raises(InputError, match="expected a document of kind 'costs'"):
        profile(artifact, device=LocalDevice(), threads=1, runs=2, costs=costs)
    assert costs.read_text() == "{}"


class Emulated(LocalDevice):
    """This machine, as it looks from inside an emulator."""

    def describe(self):
        return replace(super().describe(), emulated=True)


@pytest.mark.parametrize("device", [Emulated(), open_device("emulator:cortex-a72")], ids=["rpc or ssh", "emulator"])
def test_emulated_times_never_reach_a_table(artifact, tmp_path, device):
    with pytest.raises(DeviceError, match="an emulator's time is not a latency"):
        profile(artifact, device=device, threads=1, runs=2, costs=tmp_path / "costs.json")
    assert not (tmp_path / "costs.json").exists()


def test_a_board_over_ssh_that_is_switched_off_and_on(ssh_server_programs, monkeypatch, artifact, tmp_path):
    server = SshServer(ssh_server_programs)
    monkeypatch.setenv("B2NN_SSH", server.client)
    costs = tmp_path / "costs.json"
    try:
        with open_device(server.address) as device:
            breaking = device.sample

            def sample(*arguments, **options):
                for count, row in enumerate(breaking(*arguments, **options)):
                    if count == 20:
                        server.disappear()
                    yield row

            monkeypatch.setattr(device, "sample", sample)
            with pytest.raises(DeviceLost, match="samples are kept: run the same command with --resume"):
                profile(artifact, device=device, threads=1, runs=100_000, costs=costs)
            kept = len(journal(costs))
            assert kept >= 20 and CostTable.load(costs).networks[0].runs == kept
            server.start()
            monkeypatch.setattr(device, "sample", breaking)
            found = profile(artifact, device=device, threads=1, runs=5, costs=costs, resume=True)
            assert (found.runs, found.profiles) == (kept + 5, 5)
    finally:
        server.stop()
