"""A small network is compiled and measured on this machine, once: the same structure is found again on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.loop.measuring import measure_network
from b2nn_tvm.loop.measuring.build_network import label_of
from b2nn_tvm.loop.measuring.measure_network import measure_networks
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.measuring.settle_references import SettledAnew, until_settled
from tests.support.loop.small_job import NAMES, small_job

HALF = NAMES[2:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("measured")


@pytest.fixture(scope="module")
def time(folder: Path) -> NetworkTime:
    (time,) = measure_networks(small_job(folder / "state"), [HALF], layers=True)
    return time


def test_every_layer_has_a_row_in_its_precision(time: NetworkTime) -> None:
    rows = {row.layer: row for row in time.layers}
    assert {name: rows[name].precision for name in NAMES} == {
        name: "binary" if name in HALF else "float" for name in NAMES
    }
    assert rows["conv1"].precision == "float" and rows[HALF[0]].workload.startswith("conv2d_n1_c4_h8_w8_o8_k3x3")
    assert time.binary == HALF and time.network().binary == HALF
    assert 0 < time.ms == time.network().ms and time.runs > 0 and time.size_bytes > 0
    assert {row.target for row in time.layers} == {"native"} and {row.threads for row in time.layers} == {1}


def test_it_is_not_measured_again_whatever_the_weights_and_the_order(folder: Path, time: NetworkTime) -> None:
    job = small_job(folder / "state")
    samples = {path: path.stat().st_mtime_ns for path in (folder / "costs.json.samples").iterdir()}
    with torch.no_grad():
        job.model.conv1.weight.add_(1)
    assert measure_networks(job, [HALF[::-1]], layers=True) == [time]
    assert job.state.reused == ["times/reference", f"layer-times/{label_of(job, HALF)}"]
    assert samples == {path: path.stat().st_mtime_ns for path in samples} and len(samples) == 1


def test_there_is_one_connection_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A board that runs b2nn-device serves one client; a second one would wait for it in vain."""
    connected: list[OneClient] = []

    class OneClient(LocalDevice):
        def __enter__(self) -> OneClient:
            assert connected == []
            connected.append(self)
            return self

        def __exit__(self, *exception: object) -> None:
            connected.remove(self)
            super().__exit__(*exception)

    monkeypatch.setattr(measure_network, "open_device", lambda word: OneClient())
    (time,) = measure_networks(small_job(tmp_path / "state"), [HALF])
    assert time.binary == HALF and connected == []


@pytest.mark.sweep
def test_a_reference_that_was_settled_on_a_busy_machine_is_settled_anew(tmp_path: Path) -> None:
    """Its time is doubled in the state, as if the machine had been slow: the next measurement finds the true one, and
    the times of before in its milliseconds.
    """
    job = small_job(tmp_path / "state")
    (before,) = measure_networks(job, [HALF])
    path = tmp_path / "state" / "times" / "reference" / "phase.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    true_ms = document["result"]["ms"]
    document["result"] = {name: 2 * value for name, value in document["result"].items() if name.endswith("ms")} | {
        name: document["result"][name] for name in ("bursts", "quiet")
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(SettledAnew):  # by what was measured for another network, the time of before is stale
        measure_networks(job, [HALF[:1]])
    again, _ = until_settled(lambda: measure_networks(job, [HALF, HALF[:1]]))
    settled = json.loads(path.read_text(encoding="utf-8"))["result"]["ms"]
    assert settled == pytest.approx(true_ms, rel=0.3) and again.ms == pytest.approx(before.ms, rel=0.3)
