"""From bursts to the time of a network and to the rows of costs.json."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from b2nn_tvm.costs.table import NetworkRow
from b2nn_tvm.deploy.devices.bursts import REFERENCE, Burst
from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.deploy.latency.burst_record import BurstRecord
from b2nn_tvm.deploy.latency.interleave import digest_of
from b2nn_tvm.loop.measuring.build_network import build_network
from b2nn_tvm.loop.measuring.time_rows import network_row, network_time
from tests.support.loop.small_job import NAMES, small_job

HALF = NAMES[2:]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory):
    return small_job(tmp_path_factory.mktemp("rows"))


def test_both_times_come_from_the_bursts_and_layers_from_the_profiled_ones(job) -> None:
    with build_network(job, HALF) as artifact:
        name, steps = digest_of(artifact), len(artifact.manifest.steps)
        record = BurstRecord("reference", {})
        for profiled in (False, True):
            record.begin([name])
            for ms in (2.0, 2.0, 2.0, 2.0, 2.0, 5.0):
                record.add(Burst(0, REFERENCE, (4.0,), (), 4, 4, 0))
                of_steps = (tuple(0.25 for _ in range(steps)),) if profiled else ()
                record.add(Burst(0, 0, () if profiled else (ms,), of_steps, ms, ms, 0))
            record.add(Burst(0, REFERENCE, (4.0,), (), 4, 4, 0))
            record.end()
        time = network_time(job, HALF, artifact, record, LocalDevice(), layers=True)
        assert (time.ms, time.median_ms, time.runs, time.bursts, time.quiet) == (2.0, 2.0, 6, 6, 6)
        assert time.p99_ms == pytest.approx(4.85) and time.low_ms <= time.ms <= time.high_ms
        assert time.size_bytes == artifact.size_bytes and time.isa == artifact.target.vector
        rows = {row.layer: row for row in time.layers}
        assert {name: rows[name].precision for name in NAMES} == {
            name: "binary" if name in HALF else "float" for name in NAMES
        }
        counts = {layer: sum(step.layer == layer for step in artifact.manifest.steps) for layer in rows}
        assert {layer: row.ms for layer, row in rows.items()} == pytest.approx(
            {layer: 0.25 * count for layer, count in counts.items()}
        )
        assert rows[HALF[0]].workload == job.workloads[HALF[0]]
        assert {row.fingerprint for row in time.layers} == {LocalDevice().describe().fingerprint}
        assert network_time(job, HALF, artifact, record, LocalDevice(), layers=False).layers == ()


def test_the_row_of_a_network_says_where_it_was_measured(job, tmp_path: Path) -> None:
    from b2nn_tvm.loop.measuring.network_time import NetworkTime

    time = NetworkTime(HALF, 2.0, 0.1, 60, 1000, "A CPU", "avx2", (), 1.9, 2.1, fingerprint="A CPU, 4 CPUs")
    expected = NetworkRow("net", HALF, 2.0, 60, 0.1, "native", "A CPU", 1)
    assert network_row(job, time) == replace(expected, low_ms=1.9, high_ms=2.1, fingerprint="A CPU, 4 CPUs")
