"""This machine as a device: it computes in this process, and times as often as it is asked to."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.deploy.devices.local import MIN_PROFILED, MIN_RUNS, LocalDevice, example_inputs
from b2nn_tvm.deploy.devices.samples import MeasurementSettings, Samples
from tests.support.deploy.handmade import N, expected


@pytest.mark.parametrize("threads", [1, 2])
def test_it_computes_what_the_library_computes(artifact, x, threads):
    result = LocalDevice().run(artifact, {"input": x}, threads=threads)
    np.testing.assert_array_equal(result["output"], expected(x) + 1)
    assert int(result["tasks"]) == threads


def test_whole_runs_come_first_then_as_many_with_every_step_timed(artifact):
    samples = list(LocalDevice().sample(artifact, threads=2, effort=MeasurementSettings(runs=3, warmup=0)))
    assert [sample.run_ms is not None for sample in samples] == [True] * 3 + [False] * 3
    assert all(sample.threads == 2 for sample in samples)
    table = Samples.of(samples)
    assert table.run_ms.shape == (3,) and table.step_ms.shape == (3, len(artifact.manifest.steps))
    assert (table.run_ms > 0).all() and (table.step_ms > 0).all()


def test_without_a_number_of_runs_it_repeats_for_the_time_given(artifact):
    samples = Samples.of(LocalDevice().sample(artifact, threads=1, effort=MeasurementSettings(min_seconds=0.01)))
    assert len(samples.run_ms) >= MIN_RUNS and len(samples.step_ms) >= MIN_PROFILED
    assert samples.run_ms.sum() <= 1000 * 3 * 0.01


def test_what_is_measured_with_is_the_same_each_time(artifact):
    (first,), (again,) = example_inputs(artifact), example_inputs(artifact)
    np.testing.assert_array_equal(first, again)
    assert (first.shape, first.dtype, first.ctypes.data % 64) == ((1, N), "float32", 0)
    assert abs(first.mean()) < 0.1 and abs(first.std() - 1) < 0.1
