"""The comparison of fronts on one data set: what is scored, chosen, trained and measured for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from b2nn_tvm.costs.options import option
from b2nn_tvm.errors import B2nnError
from b2nn_tvm.progress import Progress
from b2nn_tvm.storage.phase_cache import State
from b2nn_tvm.study.cells import Cell, Network
from b2nn_tvm.study.effort import training_s
from b2nn_tvm.study.fronts.kinds import PART, Way, front_cells, kinds, precisions, widths
from b2nn_tvm.study.fronts.times import Structure, Time, Times
from b2nn_tvm.study.settings import StudySettings
from b2nn_tvm.study.tasks import Net
from b2nn_tvm.study.work.run_items import Item, Runner
from b2nn_tvm.study.work.trainings import Asked, Trainings

SCORED_BY = "mixbin-loss"


class Fronts:
    """The fronts that ``settings`` name; ``failed`` maps what could not be chosen or measured to the reasons."""

    def __init__(self, settings: StudySettings, trainings: Trainings, state: State, progress: Progress) -> None:
        self.settings = settings
        self.failed: dict[str, str] = {}
        self._trainings, self._kinds = trainings, kinds(settings)
        self._searched = precisions(kind for kind in self._kinds.values() if kind.searched)
        words, bundle = precisions(self._kinds.values()), trainings.bundle
        nets = {percent: Net(settings.model, width, "binrelu") for percent, width in widths(settings).items()}
        self._networks = {percent: Network.of(net, bundle, precisions=words) for percent, net in nets.items()}
        self._times = Times(bundle, state, mixtures=settings.mixtures, progress=progress)
        self._choices: dict[Way, tuple[str, ...]] = {}

    @property
    def seconds(self) -> float:
        """The planned seconds of all of them, as if none were narrower."""
        return self.most * training_s(self._full, self._trainings.bundle, self.settings.epochs)

    def parent_items(self) -> Iterator[tuple[str, Item]]:
        """The float networks of all widths."""
        return self._trainings.parent_items(self._networks.values())

    def scoring_items(self, *, planned: bool = False) -> Iterator[tuple[str, Item]]:
        """The scorings that choices need, of the parents that were trained or of all ``planned`` ones."""
        return self._trainings.scoring_items(self._asked, planned=planned)

    @property
    def _asked(self) -> tuple[Asked, ...]:
        return tuple(Asked(self._full, SCORED_BY, 0, (0,), word) for word in self._searched)

    @property
    def most(self) -> int:
        """The most fine-tunings that there can be."""
        counts = [
            len(self.settings.ways) if kind.searched else len(self._networks) if kind.narrower else 1
            for kind in self._kinds.values()
        ]
        return self.settings.seeds * sum(counts)

    def choose(self, scored: Mapping[str, Mapping[str, Any]], _runner: Runner) -> None:
        """Choose the mixtures of the seeds whose layers were ``scored``, by measured milliseconds."""
        for seed in self._trainings.seeds:
            names = {each.precision: each.name(seed) for each in self._asked}
            if not names or not set(names.values()) <= set(scored):
                continue
            scores = {
                option(layer, word): harm
                for word, name in names.items()
                for layer, harm in scored[name]["scores"][0].items()
            }
            for name, kind in self._kinds.items():
                if not kind.searched:
                    continue
                try:
                    found = self._times.choose(self._full, kind, scores, self.settings.ways, of=self._searched)
                except B2nnError as error:
                    self.failed[f"choices/seed-{seed}/{name}"] = str(error)
                    continue
                self._choices |= {(seed, name, way): chosen for way, chosen in found.items()}

    def cells(self) -> Iterable[Cell]:
        """The cells of what is chosen."""
        return front_cells(self.settings, self._networks, self._choices)

    def measure(self, cells: Iterable[Cell], *, anew: bool) -> dict[Structure, Time]:
        """The times of the networks of ``cells``, measured in turn; none where they cannot be measured."""
        structures = {structure for cell in cells if (structure := structure_of(cell)) is not None}
        try:
            return self._times.measure(list(self._networks.values()), structures, anew=anew) if structures else {}
        except B2nnError as error:
            self.failed["milliseconds"] = str(error)
            return {}

    @property
    def _full(self) -> Network:
        return self._networks[100.0]


def structure_of(cell: Cell) -> Structure | None:
    """The network of a cell of a front as it is compiled and measured; None for other cells."""
    return (cell.network.label, cell.choice.binary) if cell.part == PART and cell.choice else None
