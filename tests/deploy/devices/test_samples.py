"""What is asked of a device and the times that come back."""

from __future__ import annotations

import pytest

from b2nn_tvm.deploy.devices.samples import MeasurementSettings, Sample, Samples
from b2nn_tvm.deploy.latency.measure import measure
from b2nn_tvm.errors import InputError


@pytest.mark.parametrize("options", [{"runs": 0}, {"warmup": -1}, {"min_seconds": 0}])
def test_senseless_options_are_refused(artifact, options):
    with pytest.raises(InputError, match="expected"):
        measure(artifact, **options)


def test_samples_that_came_are_put_into_two_tables():
    came = [Sample(3, run_ms=1.5), Sample(3, step_ms=(0.5, 1.0)), Sample(3, run_ms=2.5), Sample(3, step_ms=(0.25, 2.0))]
    found = Samples.of(iter(came))
    assert found.run_ms.tolist() == [1.5, 2.5]
    assert found.step_ms.tolist() == [[0.5, 1.0], [0.25, 2.0]]
    assert found.threads == 3
    none = Samples.of([])
    assert (len(none.run_ms), len(none.step_ms), none.threads) == (0, 0, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runs": 0}, "runs: expected at least 1, but got 0"),
        ({"warmup": -1}, "expected warmup of 0 or more and min_seconds above 0, but got -1 and 0.5"),
        ({"min_seconds": 0}, "but got 3 and 0$"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        MeasurementSettings(**options)
