"""Compute the grid: parents, scores, choices, fine-tunings; finished ones stay on disk, several run side by side."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from b2nn_tvm.loop.workers.dask_pool import DaskPool
from b2nn_tvm.loop.workers.worker_pool import WorkerPool
from b2nn_tvm.progress import Note, Progress
from b2nn_tvm.storage.phase_cache import State
from b2nn_tvm.study.cells import Cell, Network, Scores, activation_cells, method_cells
from b2nn_tvm.study.clock import Clock
from b2nn_tvm.study.effort import training_s
from b2nn_tvm.study.fronts.compare import Fronts, structure_of
from b2nn_tvm.study.selections.compare import Selections
from b2nn_tvm.study.settings import SLIMMING, StudySettings
from b2nn_tvm.study.table import Row
from b2nn_tvm.study.tasks import Net
from b2nn_tvm.study.transfer.compare import Transfer
from b2nn_tvm.study.work.rows import row_of
from b2nn_tvm.study.work.run_items import Item, Results, Runner
from b2nn_tvm.study.work.trainings import Asked, Trainings
from b2nn_tvm.words.number_of import number_of

RANDOM, OTHER = "random", "other-data"

# A network, the scorings of its layers, and the cells that follow from the scores.
Part = tuple[Network, list[Asked], Callable[[Network, Scores], Iterable[Cell]]]


class FurtherComparison(Protocol):
    """Networks that are compared beside the methods and the activations; choices are made when layers are scored.

    At ``most`` so many fine-tunings take the planned ``seconds``.
    """

    @property
    def most(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def failed(self) -> Mapping[str, str]: ...
    def parent_items(self) -> Iterable[tuple[str, Item]]: ...
    def scoring_items(self, *, planned: bool = False) -> Iterable[tuple[str, Item]]: ...
    def choose(self, scored: Mapping[str, Mapping[str, Any]], runner: Runner) -> None: ...
    def cells(self) -> Iterable[Cell]: ...


class Grid:
    """The trainings of one study below ``folder``/state; ``failed`` maps pieces of work that failed to the reasons.

    Raises InputError for data that cannot be read, BudgetError for a budget that no choice keeps, both before any work.
    ``progress`` counts hundredths of a phase; ``note`` is told the time left now and then. ``keep`` is given all rows
    that are known, whenever there is one more. ``pool`` does the work.
    """

    def __init__(
        self,
        settings: StudySettings,
        folder: Path,
        *,
        pool: WorkerPool | DaskPool,
        fresh: bool,
        progress: Progress,
        note: Note | None,
        keep: Callable[[Sequence[Row]], object] = lambda rows: None,
    ) -> None:
        self.settings, self._clock = settings, Clock(pool.size, note)
        state = State(folder / "state")
        self._parents: Results = {}
        self._work = Trainings(settings, state, parents=self._parents)
        self._works, bundle = {self._work.place: self._work}, self._work.bundle
        main = [Net(settings.model, settings.width, "binrelu")] if settings.methods or settings.ablations else []
        acting = [Net(settings.activation_model, settings.activation_width, name) for name in settings.activations]
        self._main, self._acting = ([Network.of(net, bundle) for net in nets] for nets in (main, acting))
        of_methods = partial(method_cells, settings)
        self._parts: list[Part] = [(network, self._methods_of(network), of_methods) for network in self._main]
        self._parts += [
            (network, [Asked(network, "mixbin-loss", 0, (network.halfway,))], activation_cells)
            for network in self._acting
        ]
        self._fronts = Fronts(settings, self._work, state, progress) if settings.fronts else None
        selections = Selections(settings, self._work) if settings.selections else None
        self._others: list[FurtherComparison] = [each for each in (self._fronts, selections) if each]
        if settings.other_data:
            there = Trainings(replace(settings, data=settings.other_data), state, parents=self._parents, place=OTHER)
            self._works[OTHER] = there
            self._others.append(Transfer(settings, self._work, there))
        # Nothing of an earlier run is dropped before all settings are known to be usable.
        self._runner = Runner(State(state.folder, fresh=fresh), pool, self._clock, progress, keep)

    @property
    def failed(self) -> dict[str, str]:
        return dict(ChainMap(self._runner.failed, *(dict(each.failed) for each in self._others)))

    def run(self, *, measure: bool = False) -> list[Row]:
        """All rows, in the order of the grid, without the rows of failed work.

        Milliseconds that were measured before are measured anew with ``measure``.
        """
        self._forecast()
        run = self._runner.run
        run("train the float networks", dict(self._parent_items()), self._parents, self._references)
        scores = run("score the layers", dict(self._scoring_items()), {})
        for each in self._others:
            each.choose(scores, self._runner)
        cells = list(self._cells(scores))
        # A study that is stopped early has its references, and then complete seeds.
        by_seed = sorted(cells, key=lambda cell: (cell.part != "reference", cell.seed))
        items = {cell.training: self._work_of(cell).finetuning_item(cell) for cell in by_seed if cell.training}
        self._clock.later = 0.0
        self._clock.plan({name: item.seconds for name, item in items.items()})
        shared = sum(bool(cell.training) for cell in cells) - len(items)
        self._clock.tell(
            f"{number_of(len(items), 'fine-tuning')}; of {number_of(shared, 'more cell')} of the grid the choice is"
            " that"
            " of another one"
        )
        found: Results = {}
        run("fine-tune", items, found, partial(self._rows, cells, found))
        return self._with_times(cells, found, anew=measure)

    def _rows(self, cells: Iterable[Cell], found: Mapping[str, dict[str, Any]]) -> list[Row]:
        """The rows of the cells that are computed."""
        return [
            row_of(cell, self._work_of(cell), found) for cell in cells if not cell.training or cell.training in found
        ]

    def _with_times(self, cells: Sequence[Cell], found: Mapping[str, dict[str, Any]], *, anew: bool) -> list[Row]:
        """The rows with their milliseconds, where these are measured."""
        known = [cell for cell in cells if not cell.training or cell.training in found]
        times = self._fronts.measure(known, anew=anew) if self._fronts else {}
        rows = self._rows(known, found)
        structures = map(structure_of, known)
        return [
            replace(row, **asdict(times[key])) if key in times else row
            for row, key in zip(rows, structures, strict=True)
        ]

    def _references(self) -> list[Row]:
        """The rows of the float parents that are trained."""
        return self._rows(self._cells({}), {})

    def _forecast(self) -> None:
        """Plan all work, the fine-tunings by their largest possible number."""
        settings = self.settings
        items = dict(self._parent_items()) | dict(self._scoring_items(planned=True))
        self._clock.plan({name: item.seconds for name, item in items.items()})
        choices = len(self._draws()) + (SLIMMING in settings.methods)
        references = 1 + settings.longer_float + len(settings.ablations)
        counts = [(network, settings.seeds * (references + choices * len(settings.budgets))) for network in self._main]
        counts += [(network, 2 * settings.seeds) for network in self._acting]
        seconds = sum(count * training_s(network, self._work.bundle, settings.epochs) for network, count in counts)
        self._clock.later = seconds + sum(each.seconds for each in self._others)
        most = sum(count for _, count in counts) + sum(each.most for each in self._others)
        self._clock.tell(f"{len(items)} float trainings and scorings, at most {most} fine-tunings")

    def _parent_items(self) -> Iterable[tuple[str, Item]]:
        yield from self._work.parent_items((*self._main, *self._acting))
        for each in self._others:
            yield from each.parent_items()
        if SLIMMING in self.settings.methods:
            yield from self._work.parent_items(self._main, sparse=True)

    def _scoring_items(self, *, planned: bool = False) -> Iterable[tuple[str, Item]]:
        asked = [each for _, asked, _ in self._parts for each in asked]
        yield from self._work.scoring_items(asked, planned=planned)
        for each in self._others:
            yield from each.scoring_items(planned=planned)

    def _cells(self, scores: Mapping[str, dict[str, Any]]) -> Iterable[Cell]:
        """The cells whose parents could be trained."""
        for network, all_asked, cells_of in self._parts:
            names = {
                (asked.method, seed, asked.draw): asked.name(seed) for asked in all_asked for seed in self._work.seeds
            }
            given = {key: scores[name]["scores"] for key, name in names.items() if name in scores}
            yield from filter(self._work.has_parents, cells_of(network, given))
        for each in self._others:
            yield from (cell for cell in each.cells() if self._work_of(cell).has_parents(cell))

    def _work_of(self, cell: Cell) -> Trainings:
        return self._works[cell.network.place]

    def _methods_of(self, network: Network) -> list[Asked]:
        """The scorings by all methods, with the limits in FLOPs of the budgets."""
        limits = tuple(map(network.limit, self.settings.budgets))
        return [Asked(network, method, draw, limits) for method, draw in self._draws()]

    def _draws(self) -> list[tuple[str, int]]:
        """The methods that choose layers, each with its draws: one, and of a random order as many as asked for."""
        chosen = [method for method in self.settings.methods if method != SLIMMING]
        return [(each, draw) for each in chosen for draw in range(self.settings.draws if each == RANDOM else 1)]
