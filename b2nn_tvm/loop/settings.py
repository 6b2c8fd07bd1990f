"""The settings of a search, in groups: selection of layers, training of networks, deployment of the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from types import MappingProxyType
from typing import Any, TypedDict, cast, get_type_hints

from b2nn_tvm.compiler import FLOATS, INPUT_FORMATS
from b2nn_tvm.costs.precisions import BINARY_OR_FLOAT, parse_precisions
from b2nn_tvm.deploy.latency.effort import Effort
from b2nn_tvm.errors import InputError
from b2nn_tvm.faults.check_arguments import check_arguments
from b2nn_tvm.mixbin.conversion.options import DEFAULT, ConversionOptions
from b2nn_tvm.mixbin.progressive.settings import WORDS, Progression, named
from b2nn_tvm.mixbin.selection.select import RULES, SOLVERS
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.training.recipes.presets import preset
from b2nn_tvm.words.number_of import number_of


@dataclass(frozen=True)
class SelectionSettings:
    """The selection of binary layers: by the scores of ``method``, or one after the other in a ``progressive`` order.

    ``rule`` and ``solver`` are arguments of ``select``. The solver None becomes "exact" where scores are harms that can
    be summed up, and "sort" under a rule other than "strict", for methods that give an order (``registry.ORDERS``) and
    in a progressive order, all of which have no other solver. ``masks`` random mixtures of layers are measured to
    correct the cost model, and candidates are selected ``margin``, a share in 0..1, below the budget. In a progressive
    order, ``epochs_per_layer`` epochs of training follow each layer (None: 2 for layer-wise priority, else 1), and
    ``floor`` is the least validation accuracy in 0..1. ``precisions`` are those that layers may have, such as
    "1,2,8,32" (see ``costs.precisions.parse_precisions``); more than binary and float need a method that knows them
    (``registry.KNOW_PRECISIONS``) and the solver "exact". Raises InputError, with the choices, for a value that is
    unknown or out of range.
    """

    method: str = "mixbin-loss"
    rule: str = "strict"
    solver: str | None = None
    masks: int = 6
    margin: float = 0.02
    progressive: str | None = None
    epochs_per_layer: int | None = None
    floor: float | None = None
    precisions: str | tuple[str, ...] = BINARY_OR_FLOAT

    def __post_init__(self) -> None:
        object.__setattr__(self, "precisions", parse_precisions(self.precisions))
        if self.precisions != BINARY_OR_FLOAT:
            self._check_more_precisions()
        words = (("method", self.method, methods.names()), ("rule", self.rule, RULES))
        for what, word, choices in (*words, ("solver", self.solver or SOLVERS[0], SOLVERS)):
            if word not in choices:
                raise InputError(f"unknown {what} {word!r}; choose one of {', '.join(choices)}")
        _check_least("masks", self.masks, 0)
        if not 0 <= self.margin < 1:
            raise InputError(f"margin: expected a share of the budget from 0 to below 1, but got {self.margin}")
        if self.progressive is not None:
            self.progression()
            if self.rule != "strict" or self.solver == "exact":
                raise InputError(
                    "a progressive order goes on until the budget is kept: it has no other rule and no solver"
                )
        elif self.epochs_per_layer is not None or self.floor is not None:
            raise InputError("epochs per layer and an accuracy floor belong to a progressive order: choose one")
        elif self.solver == "exact" and self.method in methods.ORDERS:
            raise InputError(
                f"the scores of {self.method} are an order of layers, whose sum means nothing: use solver 'sort'"
            )
        if self.solver is None:
            sorts = self.rule != "strict" or self.method in methods.ORDERS or self.progressive is not None
            object.__setattr__(self, "solver", "sort" if sorts else "exact")

    def progression(self, scores: Mapping[str, float] = MappingProxyType({})) -> Progression:
        """The Progression of these settings; ``scores`` are the scores by ``method``."""
        if self.progressive is None:
            raise InputError(f"expected a progressive order, but none is chosen; choose one of {', '.join(WORDS)}")
        return named(self.progressive, scores=scores, epochs=self.epochs_per_layer, floor=self.floor)

    def _check_more_precisions(self) -> None:
        if self.progressive is not None:
            raise InputError("in a progressive order layers become binary; give the precisions 1,32, or no order")
        if self.solver == "sort" or self.rule != "strict":
            raise InputError("a sort ranks layers of two precisions; more than 1,32 need the solver 'exact'")
        methods.refuse_precisions(methods.get(self.method).name, *self.precisions)

    @property
    def needs_scores(self) -> bool:
        """Whether the scores by ``method`` decide the choice of layers."""
        return self.progressive in (None, "scores")

    @property
    def label(self) -> str:
        """The way in which layers are chosen, in the few words that a plan keeps."""
        return ", ".join(
            [f"progressive {self.progressive}"] * bool(self.progressive) + [self.method] * self.needs_scores
        )

    def __str__(self) -> str:
        if self.progressive is None:
            more = "" if self.precisions == BINARY_OR_FLOAT else f", precisions {', '.join(self.precisions)}"
            how = f"rule {self.rule}, solver {self.solver}{more}"
            return f"{self.label}, {how}, {number_of(self.masks, 'mask')}, margin {self.margin:g}"
        floor = "" if self.floor is None else f", floor {self.floor:g}"
        epochs, masks = number_of(self.progression().epochs, "epoch"), number_of(self.masks, "mask")
        return f"{self.label}, {epochs} per layer{floor}, {masks}"


@dataclass(frozen=True)
class TrainingSettings:
    """The training of networks: ``float_epochs`` epochs before the selection (0: the model is trained already),
    ``epochs`` epochs of fine-tuning after it, by ``recipe`` (see recipes.presets), which has a number of both; all
    random numbers come from ``seed``.

    ``float_epochs`` None is for a search to decide: see ``decided``. Batches have ``batch_size`` images, and the
    learning rate begins at ``lr``, which None leaves to the recipes. Raises InputError for a value that is out of
    range.
    """

    epochs: int = cast(int, None)
    float_epochs: int | None = None
    seed: int = 0
    batch_size: int = 64
    lr: float | None = None
    recipe: str = "quick"

    def __post_init__(self) -> None:
        if self.epochs is None:
            object.__setattr__(self, "epochs", preset(self.recipe).epochs)
        preset(self.recipe)
        for what, least in (("epochs", 0), ("float_epochs", 0), ("seed", 0), ("batch_size", 1)):
            _check_least(what, getattr(self, what) or 0, least)
        if self.lr is not None and not (isfinite(self.lr) and self.lr > 0):
            raise InputError(f"lr: expected a learning rate above zero, but got {self.lr}")

    def decided(self, *, trained: bool) -> TrainingSettings:
        """The settings with a number of float epochs: if none was given, 0 of a ``trained`` network or the recipe's."""
        if self.float_epochs is not None:
            return self
        return replace(self, float_epochs=0 if trained else preset(self.recipe).float_epochs)

    def __str__(self) -> str:
        epochs = "undecided" if self.float_epochs is None else self.float_epochs
        rate = "" if self.lr is None else f", learning rate {self.lr:g}"
        batches = "" if self.batch_size == 64 else f", batches of {self.batch_size}"
        recipe = "" if self.recipe == "quick" else f", recipe {self.recipe}"
        return f"{epochs} float epochs, {self.epochs} of fine-tuning{recipe}{batches}{rate}, seed {self.seed}"


@dataclass(frozen=True)
class DeploymentSettings:
    """The deployment of the result: times are of one inference with ``threads`` threads on ``device``, which runs code
    for ``target``; ``also`` names more targets to compile the result for. Times are measured until the half of their
    95 % interval is at most the share ``precision`` of them. The times of layers are taken from the table ``costs``, a
    costs.json of the same kind of device, where it has them. The libraries take their input in ``input_format``, as
    ``compile_model`` does.

    Raises InputError for a value that is out of range.
    """

    target: str = "native"
    device: str = "local"
    threads: int = 1
    also: tuple[str, ...] = ()
    precision: float = 0.02
    costs: str | None = None
    input_format: str = FLOATS

    def __post_init__(self) -> None:
        if isinstance(self.also, str):
            raise InputError(f"also: expected a list of targets, but got the word {self.also!r}: write [{self.also!r}]")
        object.__setattr__(self, "also", tuple(self.also))
        if self.input_format not in INPUT_FORMATS:
            raise InputError(f"unknown input format {self.input_format!r}; choose one of {', '.join(INPUT_FORMATS)}")
        _check_least("threads", self.threads, 1)
        Effort(precision=self.precision)

    @property
    def targets(self) -> tuple[str, ...]:
        """All targets, the measured one first, each once."""
        return tuple(dict.fromkeys((self.target, *self.also)))

    def __str__(self) -> str:
        also = f", also for {', '.join(self.also)}" if self.also else ""
        takes = "" if self.input_format == FLOATS else f", input {self.input_format}"
        return f"{self.target} on {self.device}, {number_of(self.threads, 'thread')}{also}{takes}"


@dataclass(frozen=True)
class SearchSettings:
    """All settings of a search; ``conversion`` is the form of binary layers, in measured and trained networks alike."""

    selection: SelectionSettings = field(default_factory=SelectionSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    deployment: DeploymentSettings = field(default_factory=DeploymentSettings)
    conversion: ConversionOptions = DEFAULT

    @classmethod
    def from_keywords(cls, settings: SearchSettings | None = None, **keywords: Any) -> SearchSettings:
        """The given ``settings``, or else settings made of single fields given as keywords, such as ``method``.

        Raises InputError where both are given, and for a keyword that is not a field or a value of another type.
        """
        unknown = [name for name in keywords if name not in KEYWORDS]
        if unknown:
            raise InputError(
                f"a search has no keyword {', '.join(unknown)}; the settings are {', '.join(sorted(KEYWORDS))}"
            )
        check_arguments(get_type_hints(SearchKeywords), {k: v for k, v in keywords.items() if k != "also"})
        if settings is not None and keywords:
            raise InputError(
                f"{', '.join(keywords)}: expected either settings, which say this already, or single keywords; change"
                " the settings with dataclasses.replace"
            )
        if settings is not None:
            return settings
        own = {name: value for name, value in keywords.items() if name not in _GROUPS}
        for group, kind in _PARTS.items():
            own[group] = kind(**{name: value for name, value in keywords.items() if _GROUPS.get(name) == group})
        return cls(**own)

    def __str__(self) -> str:
        return "\n".join(f"{each.name}: {getattr(self, each.name)}" for each in fields(self))


class SearchKeywords(TypedDict, total=False):
    """The fields of all groups, as keywords of ``search``."""

    method: str
    rule: str
    solver: str | None
    masks: int
    margin: float
    progressive: str | None
    epochs_per_layer: int | None
    floor: float | None
    precisions: str | tuple[str, ...] | list[str]
    epochs: int
    float_epochs: int | None
    seed: int
    batch_size: int
    lr: float | None
    recipe: str
    target: str
    device: str
    threads: int
    also: tuple[str, ...] | list[str]
    precision: float
    costs: str | None
    input_format: str
    conversion: ConversionOptions


_PARTS = {"selection": SelectionSettings, "training": TrainingSettings, "deployment": DeploymentSettings}
_GROUPS = {each.name: group for group, kind in _PARTS.items() for each in fields(kind)}
KEYWORDS = frozenset({*_GROUPS, "conversion"})


def _check_least(what: str, value: int, least: int) -> None:
    if value < least:
        raise InputError(f"{what}: expected at least {least}, but got {value}")
