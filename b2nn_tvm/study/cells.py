"""The cells of the grid: which network is trained for each method, budget and seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.counted import flops_cost
from b2nn_tvm.costs.options import option, precision_of, precisions_of
from b2nn_tvm.data import DataBundle
from b2nn_tvm.errors import BudgetError
from b2nn_tvm.mixbin.network.flops import flops
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.training.recipes.step_time import seconds_per_image
from b2nn_tvm.plan import Plan, Precision
from b2nn_tvm.study.choice import Choice, choose, equalize
from b2nn_tvm.study.settings import LEVELS, SLIMMING, StudySettings
from b2nn_tvm.study.tasks import Net

# The scores of one network's layers, by method, seed and draw, and then one mapping per budget.
Scores = Mapping[tuple[str, int, int], Sequence[Mapping[str, float]]]

LONGER = "all float, trained on"


@dataclass(frozen=True)
class Network:
    """An architecture of the study: its cost in FLOPs, and the seconds that one training image takes on one thread.

    The cost has the options of each layer (see costs.options) that the study asks about: to become binary, as a rule.
    ``place`` tells the data sets of a study apart; it is "" for the first one.
    """

    net: Net
    cost: AdditiveCost
    seconds: float
    place: str = ""

    @classmethod
    def of(cls, net: Net, bundle: DataBundle, *, precisions: Sequence[str] = ("binary",), place: str = "") -> Network:
        """The network for the images of ``bundle``, whose layers may have these ``precisions`` or stay float."""
        model = net.build(bundle)
        layers = trace(model, bundle.input_shape)
        options = [option(row.name, word) for row in layers for word in precisions if not row.against(word)]
        cost = flops_cost(tuple(layers), total=flops(model, bundle.input_shape), options=options)
        return cls(net, cost, seconds_per_image(model, bundle), place)

    @property
    def label(self) -> str:
        words = f"{self.net.model}-{self.net.width}-{self.net.activation}"
        return f"{self.place}/{words}" if self.place else words

    def limit(self, percent: float) -> int:
        """``percent`` of the float FLOPs, rounded down; raises BudgetError where no choice of layers keeps it."""
        limit = int(Fraction(percent) * Fraction(self.cost.full) / 100)
        if self.cost.minimum() > limit:
            least = float(100 * self.cost.minimum() / self.cost.full)
            raise BudgetError(
                f"budget {percent:g}: {self.net.model} keeps {least:.2f} % of its FLOPs with every eligible layer"
                f" binary; choose from {least:.2f} to 100"
            )
        return limit

    @property
    def halfway(self) -> int:
        """The FLOPs in the middle between all binary and all float."""
        return int(self.cost.minimum() + self.cost.full) // 2

    def all_in(self, precision: str) -> Choice:
        """The choice of all layers that may have this ``precision``."""
        return self.with_binary([each for each in self.cost.names if precision_of(each) == precision])

    def with_binary(self, binary: Sequence[str]) -> Choice:
        """The choice of the layers ``binary``, or of options of layers, as it is."""
        return Choice(tuple(binary), int(self.cost.total(binary)), False)


@dataclass(frozen=True)
class Cell:
    """One row of the table to come: ``choice`` is None where the network is slimmed to ``limit`` FLOPs instead.

    A cell that is not ``tuned`` is the float parent as it is. ``recipe`` is "" where it is the study's. It is distilled
    from the float parent of its own network, or from that of ``teacher``.
    """

    part: str
    method: str
    budget: str
    seed: int
    network: Network
    choice: Choice | None
    limit: int = 0
    draw: int = 0
    tuned: bool = True
    recipe: str = ""
    teacher: Network | None = None

    @property
    def training(self) -> str:
        """The name of the cell's fine-tuning, "" for the float parent; equal choices share one fine-tuning."""
        place = f"{self.network.label}/seed-{self.seed}"
        if self.choice is None:
            return f"slimmed/{place}/{self.limit}"
        if not self.tuned:
            return ""
        precisions = precisions_of(self.choice.binary)
        digest = Plan({layer: Precision(word) for layer, word in precisions.items()}).digest
        other = f"-{self.recipe.replace(' ', '-')}" if self.recipe else ""
        other += f"-after-{self.teacher.label}" if self.teacher else ""
        return f"networks/{place}/{len(self.choice.binary)}-layers-{digest[:12]}{other}"


def method_cells(settings: StudySettings, network: Network, scores: Scores) -> Iterator[Cell]:
    """The cells of all float and all binary, then of every method under every budget, at equal cost if ``top_up``.

    Slimming gets the FLOPs that the costliest of the other methods' choices keep.
    """
    for seed in range(settings.seeds):
        yield Cell("reference", "all float", "100", seed, network, network.with_binary(()), tuned=False)
        if settings.longer_float:
            yield Cell("reference", LONGER, "100", seed, network, network.with_binary(()))
        binary = network.with_binary(network.cost.worthwhile)
        yield Cell("reference", "all binary", "least", seed, network, binary)
        for recipe in settings.ablations:
            yield Cell("recipes", recipe, "least", seed, network, binary, recipe=recipe)
    for index, percent in enumerate(settings.budgets):
        limit = most = network.limit(percent)
        given = {key: each[index] for key, each in scores.items()}
        choices = [choose(each, network.cost, limit) for each in given.values()]
        if settings.top_up:
            choices = equalize(choices, list(given.values()), network.cost, limit, tolerance=settings.tolerance / 100)
        if choices:
            most = max(choice.flops for choice in choices)
        for (method, seed, draw), choice in zip(given, choices, strict=True):
            yield Cell("methods", method, f"{percent:g}", seed, network, choice, draw=draw)
        for seed in range(settings.seeds) if SLIMMING in settings.methods else ():
            yield Cell("methods", SLIMMING, f"{percent:g}", seed, network, None, most)


def activation_cells(network: Network, scores: Scores) -> Iterator[Cell]:
    """The cells of one activation: nothing binary, MixBin's choice half-way, everything binary."""
    zero, partial, full = LEVELS

    def cell(level: str, seed: int, choice: Choice) -> Cell:
        tuned = bool(choice.binary)
        return Cell("activations", network.net.activation, level, seed, network, choice, tuned=tuned)

    for (_, seed, _draw), (given,) in scores.items():
        yield cell(zero, seed, network.with_binary(()))
        yield cell(partial, seed, choose(given, network.cost, network.halfway))
        yield cell(full, seed, network.with_binary(network.cost.worthwhile))
