from __future__ import annotations

import json
import time

import numpy as np
import pytest

from b2nn_tvm.deploy.devices.device import DeviceDescription
from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.deploy.devices.samples import Samples
from b2nn_tvm.deploy.latency.measure import measure, summarize
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.errors import DeviceError

DEVICE = DeviceDescription("board", "Raspberry Pi 4", "Cortex-A72", "aarch64", 4, "performance", 1500, 4000, "Linux")


def test_statistics_of_known_samples(artifact):
    samples = Samples(
        run_ms=np.arange(1.0, 12.0),
        step_ms=np.array([[1.0, 2.0, 1.0, 4.0], [2.0, 2.0, 2.0, 4.0], [9.0, 2.0, 1.0, 4.0]]),
        threads=2,
    )
    result = summarize(samples, layers=["conv1", "conv2", "conv1", "fc"], artifact=artifact, device=DEVICE)
    assert (result.median_ms, result.min_ms, result.p10_ms, result.p90_ms) == (6, 1, 2, 10)
    assert result.spread == pytest.approx(8 / 6)
    assert (result.runs, result.threads, result.target, result.isa) == (11, 2, "native", "avx2")
    assert [(row.name, row.median_ms, row.min_ms) for row in result.per_layer] == [
        ("conv1", 4.0, 2.0),
        ("conv2", 2.0, 2.0),
        ("fc", 4.0, 4.0),
    ]
    assert [row.share for row in result.per_layer] == [0.4, 0.2, 0.4]
    assert result.device is DEVICE


def test_a_real_measurement(artifact):
    start = time.perf_counter()
    result = measure(artifact, threads=2, min_seconds=0.2)
    assert time.perf_counter() - start < 180
    assert 0 < result.min_ms <= result.p10_ms <= result.median_ms <= result.p90_ms
    assert result.runs >= 10
    assert result.threads == 2
    assert [row.name for row in result.per_layer] == ["conv1", "layer 0", "layer 1", "tail"]
    assert sum(row.share for row in result.per_layer) == pytest.approx(1)
    assert result.device == LocalDevice().describe()
    assert result.device.cpus >= 1
    document = json.loads(json.dumps(result.to_dict()))
    assert document["per_layer"][0]["name"] == "conv1"
    assert document["device"]["name"] == "local"


def test_the_number_of_runs_can_be_given(artifact):
    assert measure(artifact, runs=3, warmup=0).runs == 3


def test_a_closed_network_is_not_measured(net):
    artifact = load(net)
    artifact.close()
    with pytest.raises(DeviceError, match="closed"):
        measure(artifact)
