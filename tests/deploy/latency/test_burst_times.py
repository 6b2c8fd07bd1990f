"""Bursts of a network whose time is known, on a machine that is disturbed in known ways."""

from __future__ import annotations

import math

import numpy as np
import pytest

from b2nn_tvm.deploy.latency.burst_times import Bracket, low_time, reference_time, undisturbed_times

REFERENCE_MS, NETWORK_MS = 4.0, 1.5


def test_the_low_time_of_a_burst() -> None:
    assert low_time([3.0, 1.0, 2.0]) == 1.0  # too few for a quantile
    assert low_time([float(value) for value in range(11)]) == 2.0
    assert low_time([5.0] * 12 + [1.0]) == 5.0  # one run that was too fast is no low time


def brackets(slowness: np.ndarray, noise: float = 0.0) -> tuple[list[Bracket], list[float]]:
    """A burst between two of the reference for each three factors by which the machine is slower than it could be."""
    rng = np.random.default_rng(0)
    times = slowness * np.array([REFERENCE_MS, NETWORK_MS, REFERENCE_MS]) * (1 + noise * rng.standard_normal((1, 3)))
    times *= 1 + noise * rng.standard_normal(times.shape)
    found = [Bracket((own,), before, after) for before, own, after in times.tolist()]
    return found, [value for before, _, after in times.tolist() for value in (before, after)]


def estimate(slowness: np.ndarray, noise: float = 0.0):
    found, reference = brackets(slowness, noise)
    return undisturbed_times(found, reference_time([reference]))[0]


def test_on_a_quiet_machine_the_time_is_exact() -> None:
    found = estimate(np.ones((6, 3)))
    assert (found.ms, found.low_ms, found.high_ms) == pytest.approx((NETWORK_MS,) * 3)
    assert (found.bursts, found.quiet, found.disturbed) == (6, 6, False)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_neighbour_that_comes_and_goes_changes_nothing(share: float) -> None:
    """A neighbour slows the network down more than the reference, in whole rounds or from the middle of one on."""
    rng = np.random.default_rng(1)
    slowness = np.ones((60, 3))
    disturbed = rng.random(60) < share
    slowness[disturbed] = [1.3, 1.6, 1.3]
    slowness[rng.random(60) < 0.1] = [1.0, 1.4, 1.3]
    found = estimate(slowness, noise=0.003)
    assert found.ms == pytest.approx(NETWORK_MS, rel=0.01)
    assert found.low_ms <= NETWORK_MS * 1.005 and found.high_ms >= NETWORK_MS * 0.995
    assert not found.disturbed and found.quiet < 60


def test_a_clock_that_drifts_is_the_references_too() -> None:
    """The clock falls by a tenth over the rounds; each ratio stays as it was."""
    slowness = np.linspace(1.0, 1.1, 40)[:, None] * np.ones((1, 3))
    assert estimate(slowness).ms == pytest.approx(NETWORK_MS * 1.01, rel=0.001)  # the fastest tenth of the rounds


def test_a_clock_that_is_lower_for_a_while_disturbs_nothing_where_its_level_is_known() -> None:
    """In the last rounds the machine is a tenth slower, steadily; the levels around these bursts say so."""
    slowness = np.repeat([1.0, 1.1], [10, 30])[:, None] * np.ones((1, 3))
    found, reference = brackets(slowness)
    reference = reference_time([reference[:20]])
    (blind,) = undisturbed_times(found, reference)
    (seeing,) = undisturbed_times(found, reference, levels_ms=(slowness[:, 0] * REFERENCE_MS).tolist())
    assert (blind.quiet, seeing.quiet) == (10, 40) and seeing.ms == pytest.approx(NETWORK_MS)


def test_without_a_quiet_burst_the_estimate_says_so() -> None:
    rng = np.random.default_rng(2)
    slowness = 1 + rng.random((12, 3))
    found = estimate(slowness)
    assert found.disturbed and found.precision > 0.02
    assert NETWORK_MS / 2 < found.low_ms < found.high_ms


def test_a_burst_without_a_second_neighbour_is_not_quiet() -> None:
    quiet, reference = brackets(np.ones((4, 3)))
    torn = [Bracket((NETWORK_MS * 3,), REFERENCE_MS, math.nan)]
    (found,) = undisturbed_times([*quiet, *torn], reference_time([reference]))
    assert found.ms == pytest.approx(NETWORK_MS) and (found.bursts, found.quiet) == (5, 4)


def test_the_references_own_time_is_a_low_quantile_with_an_interval() -> None:
    rng = np.random.default_rng(3)
    low = np.where(rng.random(200) < 0.6, 1.4, 1.0) * REFERENCE_MS * (1 + 0.003 * rng.standard_normal(200))
    found = reference_time([low.tolist()])
    assert found.ms == pytest.approx(REFERENCE_MS, rel=0.01) and found.low_ms <= found.ms <= found.high_ms
    assert found.precision < 0.01 and 60 < found.quiet < 100


def test_layers_are_estimated_together() -> None:
    found = [Bracket((1.0, 2.0 + index / 1e3), REFERENCE_MS, REFERENCE_MS) for index in range(5)]
    first, second = undisturbed_times(found, reference_time([[REFERENCE_MS] * 6]))
    assert first.ms == pytest.approx(1.0) and second.ms == pytest.approx(2.002) and second.precision < 0.01


def in_sessions(places: np.ndarray, *, bursts: int = 2, noise: float = 0.002) -> list[Bracket]:
    """Bursts in sessions, in each of which the network's place in memory makes it slower by a factor."""
    rng = np.random.default_rng(4)
    return [
        Bracket((NETWORK_MS * place * (1 + noise * rng.standard_normal()),), REFERENCE_MS, REFERENCE_MS, session)
        for session, place in enumerate(places)
        for _ in range(bursts)
    ]


def test_the_interval_covers_what_the_place_in_memory_decides() -> None:
    """Bursts of one session agree; of 200 measurements in 4 sessions, the intervals of about 95 % hold the mean."""
    rng = np.random.default_rng(5)
    reference, held, halves = reference_time([[REFERENCE_MS] * 6]), 0, []
    for _ in range(200):
        (found,) = undisturbed_times(in_sessions(1 + 0.01 * rng.standard_normal(4)), reference)
        held += found.low_ms <= NETWORK_MS <= found.high_ms
        halves.append(found.precision)
    assert 180 <= held <= 199 and 0.008 < np.median(halves) < 0.025
    (alone,) = undisturbed_times(in_sessions(np.array([1.02]), bursts=8), reference)
    assert alone.precision < 0.005 and alone.low_ms > NETWORK_MS


def test_a_session_that_was_disturbed_as_a_whole_does_not_count() -> None:
    (found,) = undisturbed_times(in_sessions(np.array([1.0, 1.003, 1.3, 0.997])), reference_time([[REFERENCE_MS] * 6]))
    assert found.ms == pytest.approx(NETWORK_MS, rel=0.004) and found.precision < 0.02


def test_the_reference_is_the_mean_of_its_quiet_sessions() -> None:
    sessions = [[REFERENCE_MS * place] * 5 for place in (1.0, 1.02, 1.5, 1.01)]
    found = reference_time([[], *sessions])
    assert found.ms == pytest.approx(REFERENCE_MS * 1.01) and (found.bursts, found.quiet) == (20, 15)
    assert found.low_ms < REFERENCE_MS < found.high_ms and reference_time(sessions[:1]).precision == 0


def test_where_nothing_was_quiet_the_least_disturbed_bursts_count() -> None:
    """A neighbour makes the network twice as slow and the reference by a half, but for five bursts by a tenth."""
    found = [Bracket((2 * NETWORK_MS,), 1.5 * REFERENCE_MS, 1.5 * REFERENCE_MS) for _ in range(20)]
    found[3:18:3] = [Bracket((1.1 * NETWORK_MS,), 1.1 * REFERENCE_MS, 1.1 * REFERENCE_MS) for _ in range(5)]
    (estimated,) = undisturbed_times(found, reference_time([[REFERENCE_MS] * 6]))
    assert estimated.ms == pytest.approx(NETWORK_MS) and estimated.disturbed and estimated.quiet == 0
