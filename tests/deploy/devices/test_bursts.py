"""The settings of bursts: values out of range are refused by name."""

from __future__ import annotations

import pytest

from b2nn_tvm.deploy.devices.bursts import BurstSettings
from b2nn_tvm.errors import InputError


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rounds", 0),
        ("rounds", 1_000_001),
        ("burst_ms", 0.0),
        ("burst_ms", float("nan")),
        ("burst_ms", 10_001.0),
        ("seed", -1),
        ("seed", 2**64),
        ("warmup", -1),
    ],
)
def test_values_out_of_range_are_refused(field, value):
    with pytest.raises(InputError, match=f"^{field}: expected .* but got {value}$"):
        BurstSettings(**{field: value})


def test_values_at_the_ends_of_the_ranges_are_taken():
    BurstSettings(rounds=1, burst_ms=1e-6, seed=0, warmup=0)
    BurstSettings(rounds=1_000_000, burst_ms=10_000, seed=2**64 - 1, warmup=1_000_000)
