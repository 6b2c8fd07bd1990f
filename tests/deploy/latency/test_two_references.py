"""Networks of known times on a machine whose core and whose memory are slowed down apart, in known ways."""

from __future__ import annotations

import math

import numpy as np
import pytest

from b2nn_tvm.deploy.latency.burst_times import Estimate, undisturbed_times
from b2nn_tvm.deploy.latency.two_references import SecondBracket, mixed_times

STREAMING, LIGHT = np.array([1.0, 2.0]), np.array([0.3, 0.1])  # milliseconds in the core, and of weights on the way


def settled(ms: float) -> Estimate:
    return Estimate(ms, ms, ms, 40, 40)


BOTH = settled(STREAMING.sum()), settled(LIGHT.sum())


def machine(count: int, seed: int = 0, *, busy: float = 0.5) -> np.ndarray:
    """By what factors core and memory are slower in each burst [bursts, 2]."""
    rng = np.random.default_rng(seed)
    core = np.where(rng.random(count) < busy, 1.5, 1.0)
    return np.stack([core, core * (1 + rng.random(count))], axis=1)


def bursts(slower: np.ndarray, *networks: np.ndarray, noise: float = 0.0, rounds: int = 2) -> list[SecondBracket]:
    """The bursts of networks, each between two bursts of both references."""
    rng = np.random.default_rng(1)
    times = np.stack([STREAMING, LIGHT, STREAMING, LIGHT, *networks]) @ slower.T
    times *= 1 + noise * rng.standard_normal(times.shape)
    return [
        SecondBracket(tuple(own), before, after, index // rounds, second_before, second_after)
        for index, (before, second_before, after, second_after, *own) in enumerate(times.T.tolist())
    ]


def test_a_mixture_is_exact_wherever_the_machine_was() -> None:
    """No burst found both undisturbed, and the networks stream more and less of their time than the references."""
    networks = np.array([[0.5, 0.2], [0.9, 1.6], [0.4, 0.3]])
    found = mixed_times(bursts(machine(20), *networks), *BOTH)
    assert [each.ms for each in found] == pytest.approx(networks.sum(axis=1), rel=1e-3)
    assert all(each.precision < 1e-3 and each.bursts == 20 for each in found)


def test_one_reference_cannot_tell_core_and_memory_apart() -> None:
    """A network that streams little, while the memory is busy for a whole measurement, and then is not."""
    network, times = np.array([0.8, 0.4]), []
    for memory in (1.0, 1.8):
        slower = machine(20) * [1.0, memory]
        (one,) = undisturbed_times(found := bursts(slower, network), BOTH[0])
        (two,) = mixed_times(found, *BOTH)
        times.append((one.ms, two.ms))
    (one_before, two_before), (one_after, two_after) = times
    assert two_after == pytest.approx(two_before, rel=1e-3) == pytest.approx(1.2, rel=1e-3)
    assert abs(one_after / one_before - 1) > 0.1


def test_intervals_hold_the_true_time_as_often_as_they_say() -> None:
    """Noise, and in each session another place in memory: of 200 measurements about 95 % hold it."""
    held, wide, rng = 0, [], np.random.default_rng(3)
    for seed in range(200):
        places = np.repeat(1 + 0.01 * rng.standard_normal(8), 2)[:, None]
        slower = machine(16, seed)
        found = bursts(slower, np.zeros(2), noise=0.003)
        own = ((places * slower) @ [0.7, 0.6]) * (1 + 0.003 * rng.standard_normal(16))
        found = [
            SecondBracket(
                (ms,), each.before_ms, each.after_ms, each.session, each.second_before_ms, each.second_after_ms
            )
            for ms, each in zip(own.tolist(), found, strict=True)
        ]
        (estimated,) = mixed_times(found, *BOTH)
        held += estimated.low_ms <= 1.3 <= estimated.high_ms
        wide.append(estimated.precision)
    assert 170 <= held <= 200 and 0.005 < np.median(wide) < 0.05


def test_no_part_is_below_zero() -> None:
    """A network that no memory slows down, less so than the light reference: the best mixture has no streaming part."""
    (found,) = mixed_times(bursts(machine(20, busy=0.0), np.array([1.0, 0.0])), *BOTH)
    assert 0.8 < found.ms < 1.0  # the light reference alone, whose memory was busy in all bursts
    (nothing, some) = mixed_times(bursts(machine(8), np.zeros(2), np.array([0.1, 0.0])), *BOTH)
    assert (nothing.ms, nothing.high_ms) == (0.0, 0.0) and some.ms > 0


def test_a_layer_that_took_no_time_by_a_coarse_clock_is_no_error() -> None:
    found = bursts(np.ones((9, 2)), np.array([0.001, 0.0]))
    found[4] = SecondBracket((0.0,), 3.0, 3.0, 2, 0.4, 0.4)
    (estimated,) = mixed_times(found, *BOTH)
    assert estimated.ms == pytest.approx(0.001, rel=0.01)


def test_bursts_are_quiet_where_the_light_reference_was() -> None:
    """The memory is twice as slow in all of them, and the core in half of them."""
    slower = np.ones((12, 2)) * [1.0, 1.2]
    slower[6:] *= 1.5
    (found,) = mixed_times(bursts(slower, np.array([1.0, 1.0])), *BOTH)
    assert (found.bursts, found.quiet, found.disturbed) == (12, 6, False)
    (found,) = mixed_times(bursts(slower[6:], np.array([1.0, 1.0])), *BOTH)
    assert found.quiet == 0 and found.disturbed


def test_a_burst_that_saw_a_change_does_not_count_where_others_are_enough() -> None:
    network = np.array([1.0, 1.0])
    good = bursts(machine(8), network)
    changed = [SecondBracket((9.0,), 3.0, 6.0, 9, 0.4, 0.4), SecondBracket((9.0,), 3.0, math.nan, 9, 0.4, math.nan)]
    (found,) = mixed_times([*good, *changed], *BOTH)
    assert found.ms == pytest.approx(2.0, rel=1e-3) and found.bursts == 10
    (alone,) = mixed_times(changed, *BOTH)
    assert alone.disturbed and alone.bursts == 2


def test_few_sessions_have_the_interval_of_their_bursts() -> None:
    found = bursts(machine(8), np.array([1.0, 1.0]), noise=0.01, rounds=8)
    (estimated,) = mixed_times(found, *BOTH)
    assert 0.001 < estimated.precision < 0.05 and estimated.ms == pytest.approx(2.0, rel=0.03)
