"""What holds of the rows of every measurement in bursts, on whichever device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from b2nn_tvm.deploy.devices.bursts import REFERENCE, Burst, BurstSettings, RoundEnd

ROUNDING_MS = 1e-6  # six decimals are printed


def orders(seed: int, count: int, rounds: int) -> list[list[int]]:
    """The order of the networks in each round, as docs/artifact.md describes it: splitmix64, Fisher and Yates."""
    state, found, bits = seed, [], 2**64 - 1
    for _ in range(rounds):
        order = list(range(count))
        for last in range(count - 1, 0, -1):
            state = (state + 0x9E3779B97F4A7C15) & bits
            mixed = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & bits
            mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & bits
            other = (mixed ^ mixed >> 31) % (last + 1)
            order[last], order[other] = order[other], order[last]
        found.append(order)
    return found


def check_rows(rows: Iterable[Burst | RoundEnd], steps: Sequence[int], settings: BurstSettings) -> None:
    """Check the order and the number of bursts, and their sums; ``steps`` has the number of steps of each network."""
    expected = []
    for index, order in enumerate(orders(settings.seed, len(steps), settings.rounds)):
        turns = [REFERENCE] + [turn for network in order for turn in (network, REFERENCE)]
        expected += [(index, turn) for turn in (turns if steps else [REFERENCE, REFERENCE])] + [(index, "end")]
    rows = list(rows)
    assert [(row.round, row.network if isinstance(row, Burst) else "end") for row in rows] == expected
    for row in rows:
        if isinstance(row, Burst):
            _check_burst(row, steps, settings)
    for index in range(settings.rounds):
        (end,) = (row for row in rows if isinstance(row, RoundEnd) and row.round == index)
        bursts = [row for row in rows if isinstance(row, Burst) and row.round == index]
        assert end.wall_ms >= sum(burst.wall_ms for burst in bursts) - len(bursts) * ROUNDING_MS
        assert end.own_ms >= sum(burst.cpu_ms for burst in bursts) - len(bursts) * ROUNDING_MS
        assert end.busy_ms == -1 or end.busy_ms >= 0
        assert end.stolen_ms == -1 or end.stolen_ms >= 0
        assert end.mhz >= 0


def _check_burst(burst: Burst, steps: Sequence[int], settings: BurstSettings) -> None:
    profiled = settings.profiled and burst.network != REFERENCE
    assert (burst.run_ms == (), burst.step_ms == ()) == (profiled, not profiled)
    times = [sum(step_ms) for step_ms in burst.step_ms] if profiled else list(burst.run_ms)
    assert not profiled or {len(step_ms) for step_ms in burst.step_ms} == {steps[burst.network]}
    assert times and min(times) >= 0
    numbers = len(times) * (steps[burst.network] if profiled else 1)
    assert burst.wall_ms >= max(settings.burst_ms - ROUNDING_MS, sum(times) - numbers * ROUNDING_MS)
    assert 0 <= burst.cpu_ms <= burst.wall_ms * 1.05
    assert burst.switches >= 0
