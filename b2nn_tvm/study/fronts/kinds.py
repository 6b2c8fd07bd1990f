"""The ways to make a network faster, each of which gives a front of accuracy against milliseconds, and their cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from b2nn_tvm.costs.precisions import parse_precisions
from b2nn_tvm.study.cells import Cell, Network
from b2nn_tvm.study.settings import StudySettings

PART = "fronts"


@dataclass(frozen=True)
class Kind:
    """A front: all layers that may have it in one precision, ``searched`` mixtures of several; ``narrower`` networks,
    too, or the full width alone.
    """

    precisions: tuple[str, ...]
    searched: bool = False
    narrower: bool = False

    @property
    def fewer(self) -> tuple[str, ...]:
        """The precisions but float."""
        return tuple(word for word in self.precisions if word != "float")


KINDS: Mapping[str, Kind] = {
    "float": Kind(("float",), narrower=True),
    "int8": Kind(("int8",), narrower=True),
    "w1a2": Kind(("w1a2",)),
    "binary": Kind(("binary",)),
    "mixbin 1,32": Kind(parse_precisions("1,32"), searched=True),
    "mixbin 1,8,32": Kind(parse_precisions("1,8,32"), searched=True),
}

# (seed, kind, percent of the way from its fastest to the float network) of a searched choice.
Way = tuple[int, str, float]


def kinds(settings: StudySettings) -> dict[str, Kind]:
    """The kinds that the settings name."""
    return {name: KINDS[name] for name in settings.fronts}


def precisions(chosen: Iterable[Kind]) -> tuple[str, ...]:
    """The precisions but float of all these kinds, each once."""
    return tuple(dict.fromkeys(word for kind in chosen for word in kind.fewer))


def widths(settings: StudySettings) -> dict[float, int]:
    """The channels of the first stage by percents of the full width, the full width first."""
    narrower = settings.narrower if any(kind.narrower for kind in kinds(settings).values()) else ()
    return {100.0: settings.width} | {percent: max(1, round(settings.width * percent / 100)) for percent in narrower}


def front_cells(
    settings: StudySettings, networks: Mapping[float, Network], choices: Mapping[Way, tuple[str, ...]]
) -> Iterator[Cell]:
    """The cells of all fronts: of ``networks`` by their width in percent, and of the searched ``choices``.

    All of them are distilled from the float network of full width.
    """
    full = networks[100.0]
    for seed in range(settings.seeds):
        for name, kind in kinds(settings).items():
            for percent, network in networks.items() if not kind.searched else ():
                if percent != 100 and not kind.narrower:
                    continue
                teacher = None if network is full else full
                yield Cell(
                    PART, name, f"{percent:g}", seed, network, network.all_in(kind.precisions[0]), teacher=teacher
                )
            for way in settings.ways if kind.searched else ():
                if (chosen := choices.get((seed, name, way))) is not None:
                    yield Cell(PART, name, f"{way:g}", seed, full, full.with_binary(chosen))
