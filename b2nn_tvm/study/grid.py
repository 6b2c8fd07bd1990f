"""Compute the grid: parents, scores, choices, fine-tunings; finished ones stay on disk, several run side by side."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from b2nn_tvm.errors import B2nnError
from b2nn_tvm.loop.workers.dask_pool import DaskPool
from b2nn_tvm.loop.workers.worker_pool import Task, WorkerPool
from b2nn_tvm.progress import CombinedProgress, Note, Progress
from b2nn_tvm.storage.phase_cache import State
from b2nn_tvm.study.cells import Cell, Network, activation_cells, method_cells
from b2nn_tvm.study.clock import Clock
from b2nn_tvm.study.effort import scoring_s, training_s
from b2nn_tvm.study.settings import SLIMMING, StudySettings
from b2nn_tvm.study.table import Row
from b2nn_tvm.study.tasks import FineTuning, Net, Parent, Scoring, Slimming, Source

RANDOM = "random"
SLOWEST = ("greedy-trained", "hawq-v2")  # these scorings begin first


@dataclass(frozen=True)
class Item:
    """A task that runs unless its result is on disk: its inputs, how it is made for its folder, its planned seconds."""

    inputs: Mapping[str, Any]
    make: Callable[[Path], Task]
    seconds: float


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
        self.settings, self._keep = settings, keep
        self.failed: dict[str, str] = {}
        self._progress, self._clock = progress, Clock(pool.size, note)
        self._pool = pool
        data = os.path.abspath(settings.data) if os.path.exists(settings.data) else settings.data
        self._source = Source(data, settings.images, settings.validation, settings.augment)
        self._bundle = self._source.load()
        self._data = self._bundle.digest
        main = [Net(settings.model, settings.width, "binrelu")] if settings.methods or settings.ablations else []
        acting = [Net(settings.activation_model, settings.activation_width, name) for name in settings.activations]
        self._main, self._acting = ([Network.of(net, self._bundle) for net in nets] for nets in (main, acting))
        self._limits = {network.label: self._budgets(network) for network in (*self._main, *self._acting)}
        self._state = State(folder / "state", fresh=fresh)
        self._parents: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def run(self) -> list[Row]:
        """All rows, in the order of the grid, without the rows of failed work."""
        self._forecast()
        self._phase("train the float networks", dict(self._parent_items()), self._parents, self._references)
        scores = self._phase("score the layers", dict(self._scoring_items()), {})
        cells = list(self._cells(scores))
        # A study that is stopped early has its references, and then complete seeds.
        by_seed = sorted(cells, key=lambda cell: (cell.part != "reference", cell.seed))
        items = {cell.training: self._finetuning_item(cell) for cell in by_seed if cell.training}
        self._clock.later = 0.0
        self._clock.plan({name: item.seconds for name, item in items.items()})
        shared = sum(bool(cell.training) for cell in cells) - len(items)
        self._clock.tell(
            f"{len(items)} fine-tunings; {shared} more cells of the grid have the same choice as another one"
        )
        found: dict[str, dict[str, Any]] = {}
        self._phase("fine-tune", items, found, partial(self._rows, cells, found))
        return self._rows(cells, found)

    def _rows(self, cells: Iterable[Cell], found: Mapping[str, dict[str, Any]]) -> list[Row]:
        """The rows of the cells that are computed."""
        return [self._row(cell, found) for cell in cells if not cell.training or cell.training in found]

    def _references(self) -> list[Row]:
        """The rows of the float parents that are trained."""
        return self._rows(self._cells({}), {})

    def _phase(
        self,
        title: str,
        items: Mapping[str, Item],
        results: dict[str, dict[str, Any]],
        known: Callable[[], Sequence[Row]] = list,
    ) -> dict[str, dict[str, Any]]:
        """Add the results of ``items`` by name to ``results``, which is returned; the rows ``known`` then are kept.

        An item that fails is noted in ``failed``, and the others go on.
        """
        if not items:
            return results
        seconds = {name: item.seconds for name, item in items.items()}
        progress = CombinedProgress(self._progress, title, seconds)
        self._clock.plan(seconds)

        def one(name: str) -> dict[str, Any] | None:
            computed = False

            def compute(folder: Path) -> dict[str, Any]:
                nonlocal computed
                computed = True
                return self._pool.run(name, items[name].make(folder), progress)

            try:
                result = self._state.run(name, items[name].inputs, compute)
                with self._lock:
                    results[name] = result
                    if rows := known():
                        self._keep(rows)
                return result
            except (B2nnError, RuntimeError) as error:  # RuntimeError: its process died
                self.failed[name] = str(error)
                return None
            finally:
                progress(name, 1, 1)
                (self._clock.done if computed else self._clock.drop)(name)

        self._pool.map(items, one)
        return results

    def _forecast(self) -> None:
        """Plan all work, the fine-tunings by their largest possible number."""
        settings = self.settings
        items = dict(self._parent_items()) | dict(self._scoring_items(planned=True))
        self._clock.plan({name: item.seconds for name, item in items.items()})
        choices = len(self._draws()) + (SLIMMING in settings.methods)
        references = 1 + settings.longer_float + len(settings.ablations)
        counts = [(network, settings.seeds * (references + choices * len(settings.budgets))) for network in self._main]
        counts += [(network, 2 * settings.seeds) for network in self._acting]
        self._clock.later = sum(count * training_s(network, self._bundle, settings.epochs) for network, count in counts)
        self._clock.tell(
            f"{len(items)} float trainings and scorings, at most {sum(count for _, count in counts)} fine-tunings"
        )

    def _parent_items(self) -> Iterable[tuple[str, Item]]:
        epochs = self.settings.float_epochs
        kinds = [(network, False) for network in (*self._main, *self._acting)]
        kinds += [(network, True) for network in self._main if SLIMMING in self.settings.methods]
        for network, sparse in kinds:
            for seed in self._seeds:
                inputs = {
                    "net": asdict(network.net),
                    "data": self._data,
                    "seed": seed,
                    "epochs": epochs,
                    "recipe": self.settings.recipe,
                    "precision": self.settings.training_precision,
                    "sparse": sparse,
                }
                make = lambda folder, network=network, seed=seed, sparse=sparse: Parent(
                    **self._work(network, seed, folder), epochs=epochs, sparse=sparse
                )
                yield (
                    _parent(network, seed, sparse=sparse),
                    Item(inputs, make, training_s(network, self._bundle, epochs)),
                )

    def _scoring_items(self, *, planned: bool = False) -> Iterable[tuple[str, Item]]:
        """The scorings of all parents that were trained, or of all parents if the scorings are only ``planned``."""
        settings = self.settings
        asked = [(network, method, draw) for network in self._main for method, draw in self._draws()]
        asked += [(network, "mixbin-loss", 0) for network in self._acting]
        for network, method, draw in sorted(asked, key=lambda each: each[1] not in SLOWEST):
            for seed in self._seeds:
                parent = _parent(network, seed)
                if not planned and parent not in self._parents:
                    continue
                limits = self._limits[network.label]
                weights = "" if planned else self._parents[parent]["weights"]
                inputs = {"parent": weights, "data": self._data, "method": method, "seed": seed, "limits": list(limits)}
                inputs |= {"calibration": settings.calibration, "draw": draw}
                make = lambda folder, network=network, seed=seed, method=method, draw=draw, limits=limits: Scoring(
                    **self._work(network, seed, folder),
                    weights=self._weights(network, seed),
                    method=method,
                    limits=limits,
                    draw=draw,
                )
                yield (
                    _scoring(network, method, seed, draw),
                    Item(inputs, make, scoring_s(network, self._bundle, method, settings.calibration)),
                )

    def _cells(self, scores: Mapping[str, dict[str, Any]]) -> Iterable[Cell]:
        """The cells whose parents could be trained."""
        of_methods = partial(method_cells, self.settings)
        for networks, methods, cells_of in (
            (self._main, self._draws(), of_methods),
            (self._acting, (("mixbin-loss", 0),), activation_cells),
        ):
            for network in networks:
                names = {
                    (method, seed, draw): _scoring(network, method, seed, draw)
                    for method, draw in methods
                    for seed in self._seeds
                }
                given = {key: scores[name]["scores"] for key, name in names.items() if name in scores}
                for cell in cells_of(network, given):
                    needed = {_parent(network, cell.seed), _parent(network, cell.seed, sparse=cell.choice is None)}
                    if needed <= set(self._parents):
                        yield cell

    def _finetuning_item(self, cell: Cell) -> Item:
        network, seed, epochs = cell.network, cell.seed, self.settings.epochs
        inputs = {
            "parent": self._parents[_parent(network, seed)]["weights"],
            "data": self._data,
            "seed": seed,
            "epochs": epochs,
            "recipe": cell.recipe or self.settings.recipe,
        }
        inputs |= {"calibration": self.settings.calibration, "precision": self.settings.training_precision}
        choice = cell.choice
        if choice is not None:
            inputs |= {"binary": list(choice.binary)}
        else:
            inputs |= {"sparse": self._parents[_parent(network, seed, sparse=True)]["weights"], "limit": cell.limit}

        def make(folder: Path) -> Task:
            known = self._work(network, seed, folder) | {"weights": self._weights(network, seed), "epochs": epochs}
            known["recipe"] = inputs["recipe"]
            if choice is not None:
                return FineTuning(**known, binary=choice.binary)
            return Slimming(**known, sparse=self._weights(network, seed, sparse=True), limit=cell.limit)

        return Item(inputs, make, training_s(network, self._bundle, epochs))

    def _row(self, cell: Cell, found: Mapping[str, dict[str, Any]]) -> Row:
        settings, network = self.settings, cell.network
        parent = self._parents[_parent(network, cell.seed)]
        own = found.get(cell.training, {"before": parent, "after": parent, "seconds": 0.0})
        left = own["flops"] if cell.choice is None else cell.choice.flops
        return Row(
            part=cell.part,
            method=cell.method,
            budget=cell.budget,
            seed=cell.seed,
            layers=" ".join(cell.choice.binary) if cell.choice else "",
            share=left / int(network.cost.full),
            flops=left,
            float_flops=int(network.cost.full),
            topped_up=int(bool(cell.choice and cell.choice.topped_up)),
            validation_before=own["before"]["validation"],
            test_before=own["before"]["test"],
            validation=own["after"]["validation"],
            test=own["after"]["test"],
            epochs=settings.epochs if cell.training else 0,
            seconds=own["seconds"],
            training=cell.training or _parent(network, cell.seed),
            model=network.net.model,
            width=network.net.width,
            activation=network.net.activation,
            data=settings.data,
            images=len(self._bundle.train),
            tested=len(self._bundle.test),
            float_epochs=settings.float_epochs,
            recipe=cell.recipe or settings.recipe,
            draw=cell.draw,
            training_precision=settings.training_precision,
        )

    @property
    def _seeds(self) -> range:
        return range(self.settings.seeds)

    def _budgets(self, network: Network) -> tuple[int, ...]:
        return tuple(map(network.limit, self.settings.budgets)) if network in self._main else (network.halfway,)

    def _work(self, network: Network, seed: int, folder: Path) -> dict[str, Any]:
        same = {"source": self._source, "calibration": self.settings.calibration, "recipe": self.settings.recipe}
        same["training_precision"] = self.settings.training_precision
        return {"net": network.net, "seed": seed, "folder": folder, **same}

    def _draws(self) -> list[tuple[str, int]]:
        """The methods that choose layers, each with its draws: one, and of a random order as many as asked for."""
        chosen = [method for method in self.settings.methods if method != SLIMMING]
        return [(each, draw) for each in chosen for draw in range(self.settings.draws if each == RANDOM else 1)]

    def _weights(self, network: Network, seed: int, *, sparse: bool = False) -> Path:
        return self._state.files(_parent(network, seed, sparse=sparse)) / "weights.pt"


def _parent(network: Network, seed: int, *, sparse: bool = False) -> str:
    return f"parents/{network.label}/seed-{seed}{'-sparse' if sparse else ''}"


def _scoring(network: Network, method: str, seed: int, draw: int) -> str:
    return f"scores/{network.label}/seed-{seed}/{method}{f'-{draw}' if draw else ''}"
