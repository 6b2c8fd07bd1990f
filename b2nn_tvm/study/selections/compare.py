"""The comparison of selections by the same scores: what is scored, tuned for a short while, chosen and trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from b2nn_tvm.mixbin.selection.select import Selection, runners_up, select
from b2nn_tvm.study.cells import Cell, Network
from b2nn_tvm.study.effort import training_s
from b2nn_tvm.study.selections.tasks import PairScoring, RunnersUp
from b2nn_tvm.study.settings import StudySettings
from b2nn_tvm.study.tasks import Net
from b2nn_tvm.study.work.run_items import Item, Runner
from b2nn_tvm.study.work.trainings import Trainings

PART = "selections"
SORT, EXACT, PAIRS, TUNED = "sort", "exact", "pairs", "runners-up"

Terms = Mapping[tuple[str, str], float]


class Selections:
    """The selections that ``settings`` name, under each budget; each one but the first adds to the one before it.

    sort         the first layers in the order of their harms that keep the budget
    exact        the least sum of harms within the budget
    pairs        the least sum of harms and of what pairs add to them
    runners-up   the most accurate of the best by harms and pairs, after a short fine-tuning of each
    """

    def __init__(self, settings: StudySettings, trainings: Trainings) -> None:
        self.settings, self._trainings = settings, trainings
        self._network = Network.of(Net(settings.model, settings.width, "binrelu"), trainings.bundle)
        self._limits = {budget: self._network.limit(budget) for budget in settings.budgets}
        self._choices: dict[tuple[int, str, float], tuple[str, ...]] = {}

    @property
    def failed(self) -> Mapping[str, str]:
        """Nothing: a budget that a choice can keep has one by each selection."""
        return {}

    @property
    def most(self) -> int:
        """The most fine-tunings that there can be."""
        return self.settings.seeds * len(self.settings.selections) * len(self._limits)

    @property
    def seconds(self) -> float:
        """The planned seconds of all of them."""
        return self.most * training_s(self._network, self._trainings.bundle, self.settings.epochs)

    def parent_items(self) -> Iterator[tuple[str, Item]]:
        """The float networks."""
        return self._trainings.parent_items([self._network])

    def scoring_items(self, *, planned: bool = False) -> Iterator[tuple[str, Item]]:
        """The measurements of pairs of layers, of the parents that were trained or of all ``planned`` ones."""
        network, layers = self._network, len(self._network.cost.names)
        seconds = network.seconds * self.settings.calibration * layers * (layers - 1) / 3
        for seed in self._trainings.seeds:
            if planned or self._trainings.has_parent(network, seed):
                inputs = self._trainings.inputs_of(network, seed, planned=planned)
                make = lambda folder, seed=seed: PairScoring(**self._trainings.work_of(network, seed, folder))
                yield self._pairs_of(seed), Item(inputs, make, seconds)

    def choose(self, scored: Mapping[str, Mapping[str, Any]], runner: Runner) -> None:
        """Choose by what was ``scored``; the runners-up are fine-tuned by ``runner``."""
        known = {seed: scored[name] for seed in self._trainings.seeds if (name := self._pairs_of(seed)) in scored}
        items = dict(self._short_items(known)) if TUNED in self.settings.selections else {}
        tuned = runner.run("fine-tune runners-up", items, {})
        for seed, found in known.items():
            harms, terms = found["scores"], _terms(found)
            for budget, limit in self._limits.items():
                by = partial(select, harms, self._network.cost, limit)
                best = {SORT: partial(by, solver="sort"), EXACT: by, PAIRS: partial(by, pairwise=terms)}
                for name in self.settings.selections:
                    if name in best:
                        self._choices[seed, name, budget] = best[name]().binary
                    elif (short := self._short(seed, budget)) in tuned:
                        self._choices[seed, name, budget] = tuple(tuned[short]["binary"])

    def cells(self) -> Iterator[Cell]:
        """The cells of what is chosen."""
        for (seed, name, budget), chosen in self._choices.items():
            yield Cell(PART, name, f"{budget:g}", seed, self._network, self._network.with_binary(chosen))

    def _short_items(self, known: Mapping[int, Mapping[str, Any]]) -> Iterator[tuple[str, Item]]:
        settings, network = self.settings, self._network
        for seed, found in known.items():
            for budget, limit in self._limits.items():
                best: tuple[Selection, ...] = runners_up(
                    found["scores"], network.cost, limit, count=settings.runners, pairwise=_terms(found)
                )
                inputs = self._trainings.inputs_of(network, seed) | {
                    "recipe": settings.recipe,
                    "precision": settings.training_precision,
                    "epochs": settings.short_epochs,
                    "choices": [list(each.binary) for each in best],
                }
                make = lambda folder, seed=seed, best=best: RunnersUp(
                    **self._trainings.work_of(network, seed, folder), selections=best, epochs=settings.short_epochs
                )
                seconds = len(best) * training_s(network, self._trainings.bundle, settings.short_epochs)
                yield self._short(seed, budget), Item(inputs, make, seconds)

    def _pairs_of(self, seed: int) -> str:
        return f"scores/{self._network.label}/seed-{seed}/pairs"

    def _short(self, seed: int, budget: float) -> str:
        return f"runners-up/{self._network.label}/seed-{seed}/{budget:g}"


def _terms(found: Mapping[str, Any]) -> Terms:
    return {(one, two): harm for one, two, harm in found["terms"]}
