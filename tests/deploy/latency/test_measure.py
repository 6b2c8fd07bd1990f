from __future__ import annotations

import json
import time

import pytest

from b2nn_tvm.deploy.devices.bursts import REFERENCE, Burst
from b2nn_tvm.deploy.devices.device import DeviceDescription
from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.deploy.latency.burst_record import BurstRecord
from b2nn_tvm.deploy.latency.interleave import digest_of
from b2nn_tvm.deploy.latency.measure import measure, summarize
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.library_files import LEVEL_VARIABLE
from b2nn_tvm.errors import InputError

pytestmark = pytest.mark.usefixtures("short_measurements")

DEVICE = DeviceDescription("board", "Raspberry Pi 4", "Cortex-A72", "aarch64", 4, "performance", 1500, 4000, "Linux")


def test_statistics_of_known_bursts(artifact):
    """Five kernels: conv1 has the first two."""
    record = BurstRecord(name := digest_of(artifact), {})
    record.begin([name])
    kernels = [step.layer for step in artifact.manifest.steps]
    for ms in range(1, 12):
        record.add(Burst(0, REFERENCE, (float(ms),), (), ms, ms, 0))
        record.add(Burst(0, 0, (), (tuple(float(index + 1) for index in range(len(kernels))),), 10, 10, 0))
    record.add(Burst(0, REFERENCE, (1.0,), (), 1, 1, 0))
    record.end()
    result = summarize(record, artifact=artifact, device=DEVICE, threads=2)
    assert (result.median_ms, result.min_ms, result.p10_ms, result.p90_ms) == pytest.approx((5.5, 1, 1.1, 9.9))
    assert result.undisturbed_ms == pytest.approx(1.1) and result.p99_ms == pytest.approx(10.89)
    assert result.spread == pytest.approx(8.8 / 5.5)
    assert (result.runs, result.profiles, result.threads, result.target, result.isa) == (12, 11, 2, "native", "avx2")
    medians = {name: sum(i + 1.0 for i, each in enumerate(kernels) if each == name) for name in dict.fromkeys(kernels)}
    assert {row.name: row.median_ms for row in result.per_layer} == medians
    assert sum(row.share for row in result.per_layer) == pytest.approx(1)
    assert result.device is DEVICE and DEVICE.fingerprint == (
        "Raspberry Pi 4, Cortex-A72, arch aarch64, CPUs 4, MHz 1500, governor performance"
    )


def test_a_real_measurement(artifact):
    start = time.perf_counter()
    result = measure(artifact, threads=2, min_seconds=0.2, precision=0.5)
    assert time.perf_counter() - start < 180
    assert 0 < result.min_ms <= result.p10_ms <= result.median_ms <= result.p90_ms <= result.p99_ms
    assert 0 < result.low_ms <= result.undisturbed_ms <= result.high_ms and result.min_ms <= result.high_ms
    assert result.runs >= 10 and result.profiles >= 10
    assert result.threads == 2
    assert [row.name for row in result.per_layer] == ["conv1", "layer 0", "layer 1", "tail"]
    assert sum(row.share for row in result.per_layer) == pytest.approx(1)
    assert result.device == LocalDevice().describe()
    assert result.device.cpus >= 1 and result.disturbance.bursts > 0
    document = json.loads(json.dumps(result.to_dict()))
    assert document["per_layer"][0]["name"] == "conv1"
    assert document["device"]["name"] == "local"


def test_times_and_layers_are_those_of_the_level_that_ran(leveled, monkeypatch):
    for asked, isa, layers in (("", "avx512", 2), ("avx2", "avx2", 1)):
        monkeypatch.setenv(LEVEL_VARIABLE, asked)
        result = measure(load(leveled), min_seconds=0.02, precision=0.5)
        assert result.isa == isa
        names = [row.name for row in result.per_layer]
        assert names == ["conv1", *(f"layer {index}" for index in range(layers)), "tail"]


def test_at_least_as_many_inferences_as_asked(artifact):
    found = measure(artifact, runs=3000, warmup=0, min_seconds=0.01, precision=0.5)
    assert min(found.runs, found.profiles) >= 3000


@pytest.mark.parametrize("options", [{"precision": 0.0}, {"precision": 0.9}, {"runs": 0}])
def test_an_effort_that_cannot_be_is_refused(artifact, options):
    with pytest.raises(InputError, match=r"(precision|runs): expected .* but got"):
        measure(artifact, **options)
