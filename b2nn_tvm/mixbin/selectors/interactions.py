"""The harm of two binary layers together beyond the sum of their own harms: Delta_ij - Delta_i - Delta_j.

With these terms added to the scores, the sum over a choice is a better guess of its joint loss (CLADO, Deng et al.,
2023, measures similar terms for quantization, also by forward passes alone). n layers have n (n - 1) / 2 pairs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.mixbin.scoring.shared_runs import SharedRuns
from b2nn_tvm.mixbin.selectors.mixbin_loss import MixBinLoss
from b2nn_tvm.plan import Precision
from b2nn_tvm.progress import silent

PHASE = "measure pairs of layers"


@dataclass(frozen=True)
class Interactions:
    """``alone`` holds the harms of single layers, and ``terms`` the additional harms of pairs, for ``select``.

    The two layers of a pair are in network order.
    """

    alone: Sensitivity
    terms: Mapping[tuple[str, str], float]


def measure_interactions(
    task: ScoringTask, *, pairs: Iterable[tuple[str, str]] | None = None, reach: int | None = None
) -> Interactions:
    """The terms of ``pairs`` (default: all); with ``reach``, only of layers at most that many places apart.

    Batch norms are re-estimated for every pair. Partial results lie beside the task's path, and an interrupted
    measurement goes on from them. Raises InputError for pairs of layers that are not the task's, and for a task of
    another precision than binary.
    """
    if task.precision != Precision.BINARY:
        raise InputError(f"pairs are measured of binary layers, not of {task.precision} ones")
    names = task.in_order
    wanted = list(itertools.combinations(names, 2)) if pairs is None else [_sorted(pair, names) for pair in pairs]
    if reach is not None:
        wanted = [(one, two) for one, two in wanted if names.index(two) - names.index(one) <= reach]
    wanted.sort(key=lambda pair: (names.index(pair[0]), names.index(pair[1])))  # pairs that share most are neighbours
    quiet = replace(task, progress=silent, path=task.path and f"{task.path}.alone")
    alone = MixBinLoss().score(quiet)
    notes = task.notes(task.digest("interactions"))
    losses: dict[str, float] = dict(notes.read())
    runs = SharedRuns(task.convert(()), task.batches)
    for done, pair in enumerate(wanted):
        task.progress(PHASE, done, len(wanted))
        if " ".join(pair) not in losses:
            losses[" ".join(pair)] = runs.reestimated(task.convert(pair)).loss(task.loss)
            notes.write(losses)
    task.progress(PHASE, len(wanted), len(wanted))
    if alone.reference_loss is None:
        raise ValueError("the scores of single layers come with the loss of the float network")
    joint = {pair: losses[" ".join(pair)] - alone.reference_loss for pair in wanted}
    return Interactions(alone, {pair: joint[pair] - sum(alone.deltas[name] for name in pair) for pair in wanted})


def _sorted(pair: tuple[str, str], names: tuple[str, ...]) -> tuple[str, str]:
    one, two = pair
    if one == two or one not in names or two not in names:
        raise InputError(f"{one} and {two} are no pair of different layers among {', '.join(names)}")
    return (one, two) if names.index(one) < names.index(two) else (two, one)
