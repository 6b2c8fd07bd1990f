"""The pieces of work on one data set: parents, scorings of their layers, fine-tunings; what each of them depends on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from b2nn_tvm.loop.workers.worker_pool import Task
from b2nn_tvm.storage.phase_cache import State
from b2nn_tvm.study.cells import Cell, Network
from b2nn_tvm.study.effort import scoring_s, training_s
from b2nn_tvm.study.settings import StudySettings
from b2nn_tvm.study.tasks import FineTuning, Parent, Scoring, Slimming, Source
from b2nn_tvm.study.work.run_items import Item, Results

SLOWEST = ("greedy-trained", "hawq-v2")  # these scorings begin first


@dataclass(frozen=True)
class Asked:
    """The scores of a network's layers by a ``method``, per limit in FLOPs, for becoming binary or ``precision``."""

    network: Network
    method: str
    draw: int
    limits: tuple[int, ...]
    precision: str = ""

    def name(self, seed: int) -> str:
        """The name of the scoring of one seed's parent."""
        other = f"@{self.precision}" if self.precision else ""
        return f"scores/{self.network.label}/seed-{seed}/{self.method}{f'-{self.draw}' if self.draw else ''}{other}"


class Trainings:
    """The work on the settings' data, in ``state``; ``parents`` has the results of all parents that are trained.

    ``place`` is that of the networks (see cells.Network). Raises InputError for data that cannot be read.
    """

    def __init__(self, settings: StudySettings, state: State, *, parents: Results, place: str = "") -> None:
        self.settings, self.parents, self.place = settings, parents, place
        data = os.path.abspath(settings.data) if os.path.exists(settings.data) else settings.data
        self.source = Source(data, settings.images, settings.validation, settings.augment)
        self.bundle = self.source.load()
        self._state, self._data = state, self.bundle.digest

    @property
    def seeds(self) -> range:
        return range(self.settings.seeds)

    def parent_items(self, networks: Iterable[Network], *, sparse: bool = False) -> Iterator[tuple[str, Item]]:
        """The float trainings of ``networks``, of every seed; ``sparse`` ones are for slimming."""
        epochs = self.settings.float_epochs
        for network in networks:
            for seed in self.seeds:
                inputs = {
                    "net": asdict(network.net),
                    "data": self._data,
                    "seed": seed,
                    "epochs": epochs,
                    "recipe": self.settings.recipe,
                    "precision": self.settings.training_precision,
                    "sparse": sparse,
                }
                make = lambda folder, network=network, seed=seed: Parent(
                    **self._work(network, seed, folder), epochs=epochs, sparse=sparse
                )
                name = parent_name(network, seed, sparse=sparse)
                yield name, Item(inputs, make, training_s(network, self.bundle, epochs))

    def scoring_items(self, asked: Sequence[Asked], *, planned: bool = False) -> Iterator[tuple[str, Item]]:
        """The scorings of all parents that were trained, or of all parents if the scorings are only ``planned``."""
        for each in sorted(asked, key=lambda each: each.method not in SLOWEST):
            for seed in self.seeds:
                if not planned and not self.has_parent(each.network, seed):
                    continue
                inputs = self.inputs_of(each.network, seed, planned=planned)
                inputs |= {"method": each.method, "limits": list(each.limits), "draw": each.draw}
                if each.precision:
                    inputs["precision"] = each.precision
                make = lambda folder, each=each, seed=seed: Scoring(
                    **self.work_of(each.network, seed, folder),
                    method=each.method,
                    limits=each.limits,
                    draw=each.draw,
                    precision=each.precision or "binary",
                )
                seconds = scoring_s(each.network, self.bundle, each.method, self.settings.calibration)
                yield each.name(seed), Item(inputs, make, seconds)

    def finetuning_item(self, cell: Cell) -> Item:
        """The fine-tuning of a cell, whose parents are trained."""
        network, seed, epochs = cell.network, cell.seed, self.settings.epochs
        inputs = self.inputs_of(network, seed)
        inputs |= {"epochs": epochs, "recipe": cell.recipe or self.settings.recipe}
        inputs |= {"precision": self.settings.training_precision}
        choice = cell.choice
        if choice is not None:
            inputs |= {"binary": list(choice.binary)}
        else:
            inputs |= {"sparse": self.parents[parent_name(network, seed, sparse=True)]["weights"], "limit": cell.limit}
        if cell.teacher is not None:
            inputs |= {"teacher": self.parents[parent_name(cell.teacher, seed)]["weights"]}

        def make(folder: Path) -> Task:
            known = self.work_of(network, seed, folder) | {"epochs": epochs, "recipe": inputs["recipe"]}
            if choice is None:
                return Slimming(**known, sparse=self._weights(network, seed, sparse=True), limit=cell.limit)
            teacher = None if cell.teacher is None else (cell.teacher.net, self._weights(cell.teacher, seed))
            return FineTuning(**known, binary=choice.binary, teacher=teacher)

        return Item(inputs, make, training_s(network, self.bundle, epochs))

    def inputs_of(self, network: Network, seed: int, *, planned: bool = False) -> dict[str, Any]:
        """What all work on a parent that is trained, or is only ``planned``, depends on."""
        weights = "" if planned else self.parents[parent_name(network, seed)]["weights"]
        return {"parent": weights, "data": self._data, "seed": seed, "calibration": self.settings.calibration}

    def work_of(self, network: Network, seed: int, folder: Path) -> dict[str, Any]:
        """The fields that all tasks on a parent have."""
        return self._work(network, seed, folder) | {"weights": self._weights(network, seed)}

    def has_parent(self, network: Network, seed: int) -> bool:
        """Whether this float network is trained."""
        return parent_name(network, seed) in self.parents

    def has_parents(self, cell: Cell) -> bool:
        """Whether the float networks that a cell needs are trained."""
        needed = [parent_name(network, cell.seed) for network in (cell.network, cell.teacher) if network]
        needed += [parent_name(cell.network, cell.seed, sparse=True)] if cell.choice is None else []
        return set(needed) <= set(self.parents)

    def _work(self, network: Network, seed: int, folder: Path) -> dict[str, Any]:
        same = {"source": self.source, "calibration": self.settings.calibration, "recipe": self.settings.recipe}
        same["training_precision"] = self.settings.training_precision
        return {"net": network.net, "seed": seed, "folder": folder, **same}

    def _weights(self, network: Network, seed: int, *, sparse: bool = False) -> Path:
        return self._state.files(parent_name(network, seed, sparse=sparse)) / "weights.pt"


def parent_name(network: Network, seed: int, *, sparse: bool = False) -> str:
    """The name of the float training of a network."""
    return f"parents/{network.label}/seed-{seed}{'-sparse' if sparse else ''}"
