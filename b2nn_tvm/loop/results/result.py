"""The result of a search as data: the chosen network, the networks it is compared with, and the cost model's error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from b2nn_tvm.costs.options import layer_of, precision_of
from b2nn_tvm.costs.prediction_error import prediction_error
from b2nn_tvm.loop.choose_by_flops import FlopsChoice
from b2nn_tvm.loop.compare_random import Interval
from b2nn_tvm.loop.delivery import OtherAnswer
from b2nn_tvm.loop.find_within_budget import Attempt
from b2nn_tvm.loop.front.by_precision import PrecisionFront
from b2nn_tvm.loop.front.measure_front import FrontPoint
from b2nn_tvm.loop.measuring.int8_beside import Int8Beside
from b2nn_tvm.loop.measuring.measure_costs import UnprofitableLayer
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.results.answers import Answers
from b2nn_tvm.loop.results.layer_outcome import LayerOutcome
from b2nn_tvm.loop.results.origin import Origin
from b2nn_tvm.mixbin.conversion.options import DEFAULT, ConversionOptions
from b2nn_tvm.mixbin.progressive.driver import Step
from b2nn_tvm.plan import Plan
from b2nn_tvm.preprocess import Preprocess

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact


@dataclass(frozen=True)
class ResultRow:
    """One network: its share of right answers on the test set in [0, 1], its predicted and measured time, its
    library's size.

    ``role`` is "float", "mixed", "binary" or "random"; ``seed`` is the seed of a random choice of layers, else None.
    """

    name: str
    role: str
    binary: tuple[str, ...]
    accuracy: float
    predicted_ms: float | None
    measured_ms: float | None
    size_bytes: int
    seed: int | None = None


@dataclass(frozen=True)
class CostQuality:
    """The errors of predicted times: ``error`` is the mean and ``worst`` the worst relative leave-one-out error of the
    fit over ``networks`` measured networks.

    ``sum_error`` is the mean relative error of simply adding up the layers.
    """

    error: float
    worst: float
    sum_error: float
    networks: int


@dataclass(frozen=True)
class AchievedBudget:
    """A budget and what the network needs of it, both in ``unit`` ("ms", "flops" or "bytes").

    With a ``quantile`` they are about the observed times, else milliseconds are undisturbed ones. ``upper`` is the
    upper end of the 95 % interval of ``achieved``, NaN where that is exact or observed.
    """

    unit: str
    limit: float
    achieved: float
    quantile: float | None = None
    upper: float = math.nan

    @property
    def status(self) -> str:
        """One of "kept", "over", or "not told apart" where the interval of what was achieved holds the limit."""
        if self.achieved > self.limit:
            return "over"
        return "not told apart" if self.upper > self.limit else "kept"


@dataclass(frozen=True)
class Round:
    """One round of the loop: a choice of layers within ``bound``, and what its library was measured at.

    ``attempts`` are the candidates that were built and measured for the choice; ``binary``, ``harm`` and ``predicted``
    are those of the chosen one. The bound and the prediction are in the budget's unit; the harm is NaN where nothing
    was scored.
    """

    bound: float
    attempts: tuple[Attempt, ...]
    binary: tuple[str, ...]
    harm: float
    predicted: float
    time: NetworkTime
    status: str


@dataclass(frozen=True, repr=False)
class SearchResult:
    """The outcome of a search; every file it names lies below ``folder``.

    ``limit`` is the budget as a number in ``unit`` ("ms", "flops" or "bytes"); ``predicted`` and ``achieved`` are in
    the same unit. ``further`` are the other budgets. ``measured_ms`` is the delivered library's undisturbed time, or
    its observed one at the ``quantile`` that a budget in milliseconds is about: so are all times of the search.
    ``library_accuracy`` is the library's share of right answers on the ``images`` images of the test set; on
    ``agreeing`` of them its answer is the torch model's, and ``other_answers`` are the rest. ``conversion`` is the form
    of binary layers; ``steps`` are the steps of a progression, in the order in which layers became binary.
    ``preprocess`` and ``labels`` are those of the delivered libraries' manifests. ``rounds`` are all rounds of the
    loop; the last one delivered the network. ``rest_ms`` is the measured time of all that is none of the ``layers``;
    ``ends`` are the times of the all-float and the all-binary network. ``fronts`` are those of all precisions and of
    single ones, where layers may have more than two. ``int8`` is onnxruntime's int8 form of the float network, where it
    was measured.
    """

    folder: Path
    model: str
    method: str
    plan: Plan
    budget: str
    unit: str
    limit: float
    predicted: float
    achieved: float
    measured_ms: float | None
    time: NetworkTime | None
    library_accuracy: float | None
    agreeing: int
    images: int
    rows: tuple[ResultRow, ...]
    random_accuracy: Interval | None
    random_ms: Interval | None
    rounds: tuple[Round, ...]
    quality: CostQuality | None
    scores: dict[str, float]
    libraries: dict[str, Path]
    device: str
    isa: str
    threads: int
    conversion: ConversionOptions = DEFAULT
    steps: tuple[Step, ...] = ()
    further: tuple[AchievedBudget, ...] = ()
    by_flops: FlopsChoice | None = None
    front: tuple[FrontPoint, ...] = ()
    fronts: tuple[PrecisionFront, ...] = ()
    unprofitable: tuple[UnprofitableLayer, ...] = ()
    quantile: float | None = None
    preprocess: Preprocess | None = None
    labels: tuple[str, ...] | None = None
    layers: tuple[LayerOutcome, ...] = ()
    rest_ms: float = 0.0
    ends: tuple[NetworkTime, ...] = ()
    answers: Answers | None = None
    origin: Origin | None = None
    int8: Int8Beside | None = None
    other_answers: tuple[OtherAnswer, ...] = ()

    def __repr__(self) -> str:
        """The outcome in a line; ``report.lines`` and report.html have the rest."""
        row = self.row
        time = "" if self.measured_ms is None else f", {self.measured_ms:.4g} ms"
        return (
            f"<SearchResult {self.model}: {self.status} {self.budget}{time}, accuracy {100 * row.accuracy:.2f} %,"
            f" {len(row.binary)} of {self.choosing} layers {self.fewer_bits}, in {self.folder}>"
        )

    @property
    def choosing(self) -> int:
        """The number of layers that have a choice."""
        return len({layer_of(each) for each in self.scores})

    @property
    def is_binary(self) -> bool:
        """Whether layers become binary or stay float, and nothing else."""
        return {precision_of(each) for each in self.scores} <= {"binary"}

    @property
    def fewer_bits(self) -> str:
        """What layers become, in words."""
        return "binary" if self.is_binary else "in fewer bits"

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The candidates of all rounds, in the order in which they were measured."""
        return tuple(attempt for each in self.rounds for attempt in each.attempts)

    @property
    def budgets(self) -> tuple[AchievedBudget, ...]:
        """All budgets, the first one first."""
        upper = math.nan if self.unit != "ms" or self.time is None else self.time.upper_ms(self.quantile)
        return (AchievedBudget(self.unit, self.limit, self.achieved, self.quantile, upper), *self.further)

    @property
    def status(self) -> str:
        """The worst status of a budget: "kept", "not told apart" or "over"."""
        found = {budget.status for budget in self.budgets}
        return next(status for status in ("over", "not told apart", "kept") if status in found)

    @property
    def within_budget(self) -> bool:
        """Whether all budgets are kept, each with the whole interval of what was measured."""
        return self.status == "kept"

    @property
    def row(self) -> ResultRow:
        """The chosen network's row."""
        return next(row for row in self.rows if row.role == "mixed")

    @property
    def float_row(self) -> ResultRow:
        """The all-float network's row."""
        return next(row for row in self.rows if row.role == "float")

    @property
    def accuracy(self) -> float:
        """The chosen network's share of right answers on the test set."""
        return self.row.accuracy

    @property
    def prediction_error(self) -> float | None:
        """Predicted over measured time, less one; None where nothing was measured."""
        if self.unit != "ms" or not self.measured_ms:
            return None
        return prediction_error(self.predicted, self.measured_ms)

    def load(self) -> Artifact:
        """The compiled network, ready to run here."""
        from b2nn_tvm.deploy.library.artifact import load

        return load(self.libraries[next(iter(self.libraries))])
