from __future__ import annotations

import pytest

from b2nn_tvm.deploy.latency.effort import Effort
from b2nn_tvm.errors import InputError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": 0.0005}, "precision: expected a share from 0.1% to 50%, but got 0.0005"),
        ({"precision": 2.0}, "precision: expected a share from 0.1% to 50%, but got 2"),
        ({"runs": 0}, "runs: expected at least 1, but got 0"),
        ({"least": 61}, "least: expected a number of bursts from 0 to 60, but got 61"),
        ({"burst_ms": 0.0}, "burst_ms: expected milliseconds above 0, but got 0"),
    ],
)
def test_values_out_of_range_are_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Effort(**options)
