"""The comparison of plans found on the data with plans carried over from other data, in both directions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from b2nn_tvm.study.cells import Cell, Network
from b2nn_tvm.study.choice import Choice, choose, top_up
from b2nn_tvm.study.effort import training_s
from b2nn_tvm.study.settings import StudySettings
from b2nn_tvm.study.tasks import Net
from b2nn_tvm.study.work.run_items import Item, Runner
from b2nn_tvm.study.work.trainings import Asked, Trainings

PART = "transfer"
SIDES = ("first data", "second data")


def method(kind: str, side: str) -> str:
    """The name of the networks of "own" or "carried" plans on one of SIDES, as in results.csv."""
    return f"{kind} plan, {side}"


@dataclass(frozen=True)
class Side:
    """One of the two data sets: its trainings, its network, and the limits in FLOPs by budget."""

    trainings: Trainings
    network: Network
    limits: Mapping[float, int]

    @classmethod
    def of(cls, settings: StudySettings, trainings: Trainings) -> Side:
        """The side of these trainings; raises BudgetError for a budget that no choice keeps."""
        net = Net(settings.model, settings.width, "binrelu")
        network = Network.of(net, trainings.bundle, place=trainings.place)
        return cls(trainings, network, {budget: network.limit(budget) for budget in settings.budgets})

    @property
    def asked(self) -> Asked:
        """The scoring that plans need."""
        return Asked(self.network, "mixbin-loss", 0, tuple(self.limits.values()))

    def plan(self, scores: Mapping[str, float], budget: float, *, whole: bool) -> Choice:
        """The choice by these scores; what it leaves of the budget is spent if it is to be used as a ``whole``."""
        limit = self.limits[budget]
        found = choose(scores, self.network.cost, limit)
        return top_up(found, scores, self.network.cost, limit) if whole else found


class Transfer:
    """Plans of each seed on both data sets, and each of them carried over to the other data set."""

    def __init__(self, settings: StudySettings, first: Trainings, second: Trainings) -> None:
        self.settings = settings
        self._sides = tuple(Side.of(settings, trainings) for trainings in (first, second))
        self._plans: dict[tuple[int, int, float], Choice] = {}

    @property
    def failed(self) -> Mapping[str, str]:
        """Nothing: budgets that cannot be kept are refused before any work."""
        return {}

    @property
    def most(self) -> int:
        """The most fine-tunings that there can be."""
        return 2 * self.settings.seeds * len(self._sides) * len(self.settings.budgets)

    @property
    def seconds(self) -> float:
        """The planned seconds of all of them."""
        each = [training_s(side.network, side.trainings.bundle, self.settings.epochs) for side in self._sides]
        return self.most * sum(each) / len(each)

    def parent_items(self) -> Iterator[tuple[str, Item]]:
        """The float networks of both data sets."""
        return chain.from_iterable(side.trainings.parent_items([side.network]) for side in self._sides)

    def scoring_items(self, *, planned: bool = False) -> Iterator[tuple[str, Item]]:
        """The scorings of both data sets' parents."""
        return chain.from_iterable(side.trainings.scoring_items([side.asked], planned=planned) for side in self._sides)

    def choose(self, scored: Mapping[str, Mapping[str, Any]], _runner: Runner) -> None:
        """Make the plans of the seeds whose layers were ``scored``."""
        for place, side in enumerate(self._sides):
            for seed in side.trainings.seeds:
                if (name := side.asked.name(seed)) not in scored:
                    continue
                for budget, scores in zip(side.limits, scored[name]["scores"], strict=True):
                    plan = side.plan(scores, budget, whole=self.settings.top_up)
                    self._plans[seed, place, budget] = plan

    def cells(self) -> Iterator[Cell]:
        """Each plan on the data on which it was found, and on the other ones."""
        for (seed, found_on, budget), plan in self._plans.items():
            for place, side in enumerate(self._sides):
                name = method("own" if place == found_on else "carried", SIDES[place])
                choice = plan if place == found_on else side.network.with_binary(plan.binary)
                yield Cell(PART, name, f"{budget:g}", seed, side.network, choice)
