"""A network is run without a pause, and each row has the conditions at its end."""

from __future__ import annotations

from itertools import pairwise

import pytest

from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.deploy.latency.watch import watch
from b2nn_tvm.errors import InputError


def test_rows_come_until_the_time_is_over(artifact):
    with LocalDevice() as device:
        rows = list(watch(artifact, device=device, threads=1, minutes=0.6 / 60, part_s=0.15))
        expected = device.conditions()
    assert 2 <= len(rows) <= 8
    assert all(one.seconds < other.seconds for one, other in pairwise(rows))
    assert rows[-2].seconds < 0.6 <= rows[-1].seconds
    for row in rows:
        assert 0 < row.median_ms <= row.p90_ms and row.runs >= 10
        assert row.frames_per_second == pytest.approx(1e3 / row.median_ms)
        assert (row.conditions.throttled, type(row.conditions.mhz)) == (expected.throttled, int)


def test_a_time_of_nothing_is_refused(artifact):
    with LocalDevice() as device, pytest.raises(InputError, match="minutes above 0, but got 0"):
        next(watch(artifact, device=device, threads=1, minutes=0))
