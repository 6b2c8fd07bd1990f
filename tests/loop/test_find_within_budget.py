"""The choice that comes back was measured within the budget, whatever the cost model thought; times come from a
made-up device.
"""

from __future__ import annotations

import random
from dataclasses import replace
from types import SimpleNamespace

import pytest

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.table import CostRow
from b2nn_tvm.errors import BudgetError
from b2nn_tvm.loop import find_within_budget as certifying
from b2nn_tvm.loop.find_within_budget import ROUNDS, TOGETHER, find_within_budget
from b2nn_tvm.loop.measuring.measure_costs import refit
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.settings import SearchSettings
from b2nn_tvm.progress import silent
from b2nn_tvm.workload import ConvWorkload

NAMES = tuple(f"layer{index}" for index in range(8))
SCORES = {name: float(index + 1) for index, name in enumerate(NAMES)}
FLOAT_MS, BINARY_MS, REST_MS = 1.0, 0.1, 0.5


class Device:
    """A network takes the sum of its layers, times ``factor`` where it is mixed: what a sum of layers cannot
    predict.
    """

    def __init__(self, factor: float) -> None:
        self.factor = factor
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, job, binary) -> NetworkTime:
        binary = tuple(binary)
        self.asked.append(binary)
        ms = REST_MS + sum(BINARY_MS if name in binary else FLOAT_MS for name in NAMES)
        ms *= self.factor if 0 < len(binary) < len(NAMES) else 1
        precisions = {name: "binary" if name in binary else "float" for name in NAMES}
        rows = [row(name, key(name), precisions[name], BINARY_MS if name in binary else FLOAT_MS) for name in NAMES]
        return NetworkTime(binary, ms, 0.01, 100, 1000, "made up", "none", (*rows, row("stem", "", "float", REST_MS)))

    def measure_networks(self, job, choices, *, layers=False, finer=False) -> list[NetworkTime]:
        before = list(self.asked)
        found = [self(job, binary) for binary in choices]
        if finer:
            self.asked = before
        return found


def key(name: str) -> str:
    return ConvWorkload(1, 8, 8, 8, 8, (3, 3), padding=(1, 1, 1, 1)).key + name


def row(name: str, workload: str, precision: str, ms: float) -> CostRow:
    return CostRow(name, workload, precision, ms, 100, 0.01, "native", "made up", 1)


def layers() -> list:
    return [
        SimpleNamespace(name=name, eligible=True, workload=SimpleNamespace(key=key(name), weights=576))
        for name in NAMES
    ]


@pytest.fixture
def job() -> SimpleNamespace:
    settings = SearchSettings()
    return SimpleNamespace(
        name="net",
        settings=settings,
        layers=layers(),
        eligible=NAMES,
        options=NAMES,
        choosing=NAMES,
        is_binary=True,
        transitions=(),
        progress=silent,
    )


def run(job, device: Device, limit: float, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(certifying, "measure_networks", device.measure_networks)
    cost = refit(job, [device(job, ()), device(job, NAMES)])
    return find_within_budget(job, SCORES, cost, limit)


@pytest.mark.parametrize("factor", [0.8, 0.95, 1.0, 1.05, 1.2])
@pytest.mark.parametrize("limit", [2.0, 3.3, 4.9, 6.1, 8.0])
def test_the_choice_was_measured_within_the_limit(job, factor: float, limit: float, monkeypatch) -> None:
    device = Device(factor)
    found = run(job, device, limit, monkeypatch)
    assert found.time.ms <= limit
    assert device(job, found.binary).ms == found.time.ms
    assert len(found.attempts) <= ROUNDS * TOGETHER
    assert set(found.binary) == set(NAMES[: len(found.binary)])  # the least harmful layers first


@pytest.mark.parametrize("factor", [0.95, 1.0, 1.05])
def test_one_layer_less_would_be_over_the_limit(job, factor: float, monkeypatch) -> None:
    device, limit = Device(factor), 5.0
    found = run(job, device, limit, monkeypatch)
    assert device(job, found.binary[:-1]).ms > limit


def test_no_candidate_is_measured_twice(job, monkeypatch) -> None:
    device = Device(1.3)
    run(job, device, 4.0, monkeypatch)
    assert len(device.asked) == len(set(device.asked))


@pytest.mark.parametrize("factor", [0.95, 1.0, 1.05])
def test_a_second_budget_is_kept_by_every_candidate(job, factor: float, monkeypatch) -> None:
    """The last layers are large: the budget in bytes asks for two of them, which harm more than the first ones."""
    size = AdditiveCost(
        "bytes", 0, {name: 10 * (index + 1) for index, name in enumerate(NAMES)}, dict.fromkeys(NAMES, 1)
    )
    device, limit = Device(factor), 6.5
    monkeypatch.setattr(certifying, "measure_networks", device.measure_networks)
    cost = refit(job, [device(job, ()), device(job, NAMES)])
    found = find_within_budget(job, SCORES, cost, limit, also=[(size, 220)])
    assert found.time.ms <= limit and all(size.total(one.binary) <= 220 for one in found.attempts)
    assert size.total(find_within_budget(job, SCORES, cost, limit).binary) > 220
    assert found.selection.certificate.solver == "exact" and found.selection.certificate.gap == 0


def test_a_second_budget_that_leaves_no_faster_choice_is_no_other_error(job, monkeypatch) -> None:
    """Bytes allow one choice alone, and the device takes longer for it than predicted."""
    size = AdditiveCost("bytes", 0, dict.fromkeys(NAMES, 1), {name: 2 if name != NAMES[0] else 0 for name in NAMES})
    device = Device(1.2)
    monkeypatch.setattr(certifying, "measure_networks", device.measure_networks)
    cost = refit(job, [device(job, ()), device(job, NAMES)])
    with pytest.raises(BudgetError, match="no choice of layers was measured within 7.9 ms: the fastest took"):
        find_within_budget(job, SCORES, cost, 7.9, also=[(size, 7)])


def test_a_second_budget_that_the_order_keeps_with_one_choice_alone_is_kept(job, monkeypatch) -> None:
    """Binary layers are slower here: nothing in the order is faster than the first choice that keeps the bytes."""
    job.settings = SearchSettings.from_keywords(method="front")
    size = AdditiveCost("bytes", 0, dict.fromkeys(NAMES, 32), dict.fromkeys(NAMES, 1))
    device = Slower(1.0)
    monkeypatch.setattr(certifying, "measure_networks", device.measure_networks)
    cost = refit(job, [device(job, ()), device(job, NAMES)])
    assert job.settings.selection.solver == "sort"
    found = find_within_budget(job, SCORES, cost, 1000.0, also=[(size, 140)])
    assert found.binary == NAMES[:4]


class Slower(Device):
    """Each binary layer takes the network 0.01 ms longer."""

    def __call__(self, job, binary) -> NetworkTime:
        time = super().__call__(job, ())
        rows = [
            replace(row, precision="binary", ms=row.ms + 0.01) if row.layer in binary else row for row in time.layers
        ]
        self.asked[-1] = tuple(binary)
        return replace(time, binary=tuple(binary), ms=time.ms + 0.01 * len(binary), layers=tuple(rows))


def test_an_impossible_limit_is_refused_without_measuring(job, monkeypatch) -> None:
    device = Device(1.0)
    with pytest.raises(BudgetError, match=r"1\.3.* ms.*stem"):
        run(job, device, 1.0, monkeypatch)
    assert len(device.asked) == 2


def test_a_limit_inside_the_interval_of_the_fastest_network_is_refused(job, monkeypatch) -> None:
    """All layers binary take 1.3 ms, give or take 0.05 ms."""
    with pytest.raises(BudgetError, match="fastest took 1.35 ms.* Allow at least 1.35 ms"):
        run(job, Uncertain(1.0), 1.31, monkeypatch)
    assert run(job, Uncertain(1.0), 1.36, monkeypatch).binary == NAMES


class Lucky(Device):
    """The first measurement of mixed networks is 3 % too low, the finer one is right."""

    def measure_networks(self, job, choices, *, layers=False, finer=False) -> list[NetworkTime]:
        right = super().measure_networks(job, choices, layers=layers, finer=finer)
        return right if finer else [replace(time, ms=0.97 * time.ms) for time in right]


@pytest.mark.parametrize("limit", [2.3, 3.4, 5.05, 6.0])
def test_a_choice_that_was_measured_too_low_has_to_keep_the_limit_again(job, limit: float, monkeypatch) -> None:
    found = run(job, Lucky(1.0), limit, monkeypatch)
    assert found.time.ms <= limit
    assert found.time.ms == Device(1.0)(job, found.binary).ms


class Uncertain(Device):
    """The times are known to 0.05 ms."""

    def __call__(self, job, binary) -> NetworkTime:
        time = super().__call__(job, binary)
        return replace(time, low_ms=time.ms - 0.05, high_ms=time.ms + 0.05)


def test_a_choice_whose_library_was_over_the_budget_is_not_proposed_again(job, monkeypatch) -> None:
    device, limit = Device(1.0), 5.0
    first = run(job, device, limit, monkeypatch)
    cost = refit(job, [device(job, ()), device(job, NAMES)])
    second = find_within_budget(job, SCORES, cost, limit, excluded=[first.binary])
    assert first.binary not in [each.binary for each in second.attempts]
    assert second.time.ms <= limit and second.selection.harm >= first.selection.harm


class Rough(Device):
    """Layers are of different sizes, and each network has a factor of its own, which no model of layers can know."""

    def __init__(self, seed: int) -> None:
        super().__init__(1.0)
        draw = random.Random(seed)
        self.seed = seed
        self.layers_ms = {name: draw.uniform(0.3, 1.5) for name in NAMES}

    def __call__(self, job, binary) -> NetworkTime:
        time = super().__call__(job, binary)
        rows = [
            row if row.layer == "stem" else replace(row, ms=row.ms * self.layers_ms[row.layer]) for row in time.layers
        ]
        own = random.Random(f"{self.seed} {time.binary}").gauss(1, 0.03)
        return replace(time, ms=own * sum(row.ms for row in rows), layers=tuple(rows))


@pytest.mark.parametrize("seed", range(24, 32))
def test_the_exact_choice_harms_no_more_than_the_sorts(job, seed: int, monkeypatch) -> None:
    """Where a round's choices turn out to be over the limit, the search goes on below them."""
    device, draw = Rough(seed), random.Random(seed)
    monkeypatch.setattr(certifying, "measure_networks", device.measure_networks)
    scores = {name: draw.lognormvariate(0, 1) for name in NAMES}
    cost = refit(job, [device(job, ()), device(job, NAMES)])
    limit, harms = draw.uniform(1.1 * cost.binary_ms, cost.float_ms), []
    for solver in ("exact", "sort"):
        job.settings = SearchSettings.from_keywords(solver=solver)
        found = find_within_budget(job, scores, cost, limit)
        harms.append(sum(scores[name] for name in found.binary))
    assert harms[0] <= harms[1] * (1 + 1e-9)
