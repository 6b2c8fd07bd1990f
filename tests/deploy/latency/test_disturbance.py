"""What the rounds of a measurement say about the machine, in numbers and in words."""

from __future__ import annotations

import math

import pytest

from b2nn_tvm.deploy.devices.bursts import REFERENCE, Burst, RoundEnd
from b2nn_tvm.deploy.latency.burst_record import BurstRecord
from b2nn_tvm.deploy.latency.disturbance import Disturbance, disturbance_of


def disturbance(*rounds: RoundEnd, low_ms: tuple[float, ...] = (4.0, 4.0)) -> Disturbance:
    record = BurstRecord("reference", {})
    record.begin([])
    for ms in low_ms:
        record.add(Burst(0, REFERENCE, (ms,), (), ms, ms, 0))
    for row in rounds:
        record.add(row)
    record.end()
    return disturbance_of(record)


def round_end(**changes) -> RoundEnd:
    facts = {"wall_ms": 100.0, "own_ms": 90.0, "busy_ms": 100.0, "stolen_ms": 0.0}
    facts |= {"mhz": 1500, "temperature_c": 50.0, "throttled": "no"}
    return RoundEnd(round=0, **{**facts, **changes})


def test_a_quiet_machine_has_nothing_to_say() -> None:
    found = disturbance(round_end(), round_end(busy_ms=90.0))
    assert found.words == () and found.other_cpus == pytest.approx(0.05) and found.quiet == 1
    assert (found.low_mhz, found.high_mhz, found.temperature_c, found.bursts) == (1500, 1500, 50.0, 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"busy_ms": 190.0}, "other programs kept 1.0 CPUs busy"),
        ({"stolen_ms": 50.0}, "the host of this virtual machine took 0.5 CPUs away"),
        ({"throttled": "under-voltage now"}, "the device was slowed down: under-voltage now"),
    ],
)
def test_what_disturbed_is_said(changes: dict, words: str) -> None:
    assert disturbance(round_end(**changes)).words == (words,)


def test_a_clock_that_changed_is_said() -> None:
    found = disturbance(round_end(mhz=1500), round_end(mhz=1000), round_end(mhz=0))
    assert found.words == ("the clock changed between 1000 and 1500 MHz",)


def test_a_system_that_tells_nothing_is_not_blamed() -> None:
    silent = round_end(busy_ms=-1.0, stolen_ms=-1.0, mhz=0, temperature_c=None, throttled="")
    found = disturbance(silent)
    assert math.isnan(found.other_cpus) and found.words == () and found.temperature_c is None


def test_the_share_of_undisturbed_bursts() -> None:
    assert disturbance(low_ms=(4.0, 4.0, 4.0, 6.0)).quiet == 0.75
