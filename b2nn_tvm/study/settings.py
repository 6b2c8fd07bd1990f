"""The settings of a study: what it compares, and with how much effort; named presets."""

from __future__ import annotations

from dataclasses import dataclass

from b2nn_tvm import models
from b2nn_tvm.data.adjust import AUGMENTATIONS
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules import activations as activation
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.training.hardware import PRECISIONS
from b2nn_tvm.mixbin.training.recipes.presets import ABLATIONS
from b2nn_tvm.mixbin.training.recipes.presets import PRESETS as RECIPES

SLIMMING = "network-slimming"
LEVELS = ("zero", "partial", "full")  # how much of a network is binary where activations are compared
# The ways to make a network faster that are compared at equal milliseconds; study/fronts/kinds.py says what they are.
SEARCHED = ("mixbin 1,32", "mixbin 1,8,32")
SELECTIONS = ("sort", "exact", "pairs", "runners-up")  # study/selections/compare.py says what they are
FRONTS = ("float", "int8", "w1a2", "binary", *SEARCHED)


def method_names() -> tuple[str, ...]:
    """The names of all methods that may be compared: the selectors, and the structured pruning of Network Slimming."""
    return (*methods.names(), SLIMMING)


@dataclass(frozen=True)
class StudySettings:
    """The settings of one study.

    ``budgets`` are percents of the float network's FLOPs; seeds are 0 to ``seeds`` - 1. The float parents train for
    ``float_epochs`` epochs, all compared networks for ``epochs`` epochs, on ``images`` training images (0: all), with
    ``validation`` validation images (0: all); tests are on the whole test set. Layers are scored on ``calibration``
    training images. Choices whose share of the FLOPs is more than ``tolerance`` percent points below the largest one
    under the same budget are topped up, if ``top_up``.

    ``activations`` are compared in ``activation_model``, whose blocks are ReLU -> conv: in the Bi-Real layout a binary
    layer has no activation but its sign. "Partial" is MixBin's choice half-way from all binary to all float in FLOPs.

    Trainings follow ``recipe`` and compute in ``training_precision``, with training images augmented by ``augment``
    (None: as the data say). Accuracies are always measured in float32. The method
    "random" takes ``draws`` choices per seed. With ``longer_float`` there is one reference more: the float parent,
    trained on as the compared networks are. The all-binary network is also tuned by each of the recipes ``ablations``.

    ``fronts`` are compared at equal milliseconds on this machine. Float and int8 networks are also trained with
    ``narrower`` percents of the width. MixBin's mixtures are chosen at ``ways``, percents of the way from their fastest
    to the float network, by a cost model that so many random ``mixtures`` correct.

    ``selections`` are compared under the budgets, as they select. The best ``runners`` of a selection are fine-tuned
    for ``short_epochs``. With ``other_data``, plans of both data sets are carried over to the other one.

    Raises InputError, with the choices, for unknown names and numbers out of range.
    """

    model: str = "cresnet20"
    width: int = 16
    data: str = "digits"
    methods: tuple[str, ...] = method_names()
    budgets: tuple[float, ...] = (60, 40, 20, 10)
    seeds: int = 3
    images: int = 0
    validation: int = 0
    calibration: int = 256
    float_epochs: int = 30
    epochs: int = 12
    tolerance: float = 0.5
    top_up: bool = True
    activations: tuple[str, ...] = activation.names()
    activation_model: str = "resnet18"
    activation_width: int = 16
    recipe: str = "quick"
    training_precision: str = "auto"
    augment: str | None = None
    draws: int = 1
    longer_float: bool = False
    ablations: tuple[str, ...] = ()
    fronts: tuple[str, ...] = ()
    narrower: tuple[float, ...] = (75, 50)
    ways: tuple[float, ...] = (0, 20, 50)
    mixtures: int = 12
    selections: tuple[str, ...] = ()
    runners: int = 3
    short_epochs: int = 2
    other_data: str = ""

    def __post_init__(self) -> None:
        for what, words, choices in (
            ("method", self.methods, method_names()),
            ("activation", self.activations, activation.names()),
            ("network", (self.model, self.activation_model), models.names()),
            ("recipe", (self.recipe,), tuple(RECIPES)),
            ("training precision", (self.training_precision,), PRECISIONS),
            ("ablation", self.ablations, tuple(ABLATIONS)),
            ("front", self.fronts, FRONTS),
            ("selection", self.selections, SELECTIONS),
            ("augmentation", (self.augment or "none",), AUGMENTATIONS),
        ):
            for word in words:
                if word not in choices:
                    raise InputError(f"unknown {what} {word!r}; choose from {', '.join(choices)}")
        for budget in self.budgets:
            if not 0 < budget < 100:
                raise InputError(
                    f"budget {budget:g}: expected percents of the float network's FLOPs, between 0 and 100, such as"
                    " 60,40,20,10"
                )
        for what, least, shares in (("narrower", 1, self.narrower), ("ways", 0, self.ways)):
            for share in shares:
                if not least <= share < 100:
                    raise InputError(f"{what} {share:g}: expected percents from {least} to below 100")
        for what, given in (
            ("methods", self.methods),
            ("budgets", self.budgets),
            ("activations", self.activations),
            ("narrower", self.narrower),
            ("ways", self.ways),
        ):
            if len(set(given)) < len(given):
                raise InputError(f"{what}: expected each one once, not {', '.join(map(str, given))}")
        for what, value, least in (
            ("seeds", self.seeds, 1),
            ("width", self.width, 1),
            ("activation_width", self.activation_width, 1),
            ("images", self.images, 0),
            ("validation", self.validation, 0),
            ("calibration", self.calibration, 1),
            ("float_epochs", self.float_epochs, 1),
            ("epochs", self.epochs, 1),
            ("tolerance", self.tolerance, 0),
            ("draws", self.draws, 1),
            ("mixtures", self.mixtures, 0),
            ("runners", self.runners, 1),
            ("short_epochs", self.short_epochs, 1),
        ):
            if value < least:
                raise InputError(f"{what}: expected at least {least}, but got {value}")
        by_budget = (self.methods or self.selections or self.other_data) and self.budgets
        if not (by_budget or self.activations or self.ablations or self.fronts):
            raise InputError("there is nothing to compare: name methods and budgets, or activations")


PRESETS = {
    "small": StudySettings(
        data="shapes",
        width=8,
        images=2000,
        validation=400,
        calibration=64,
        float_epochs=16,
        epochs=3,
        activation_model="vgg_small",
        activation_width=16,
    ),
    "full": StudySettings(data="shapes", seeds=5, float_epochs=60, epochs=30),
}


def preset(name: str) -> StudySettings:
    """The settings of the preset ``name``; raises InputError, with the choices, for an unknown one."""
    if name not in PRESETS:
        raise InputError(f"unknown preset {name!r}; choose from {', '.join(PRESETS)}")
    return PRESETS[name]
