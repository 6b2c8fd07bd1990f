"""The hypotheses of the study, each with the grid that tests it and the comparisons that decide it, fixed beforehand.

P is the MixBin paper (Partial Binarization of Neural Networks for Budget-Aware Efficient Learning).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.training.recipes.presets import ABLATIONS
from b2nn_tvm.study.cells import LONGER
from b2nn_tvm.study.settings import FRONTS, LEVELS, SEARCHED, SELECTIONS, SLIMMING, StudySettings
from b2nn_tvm.study.transfer.compare import SIDES, method


@dataclass(frozen=True)
class Of:
    """The rows of one part, method and budget, whose accuracy is averaged over draws within a seed.

    Without a budget it is a front: all rows of a part and method.
    """

    part: str
    method: str
    budget: str

    def __str__(self) -> str:
        if self.part == "fronts":
            return self._of_front
        if self.part == "recipes":
            return f"all binary, {self.method}"
        return self.method if self.part == "reference" else f"{self.method} at {_level(self.budget)}"

    @property
    def _of_front(self) -> str:
        if not self.budget:
            return f"the front of {self.method}"
        if self.method in SEARCHED:
            return f"{self.method} at {self.budget} % of the way"
        return self.method if self.budget == "100" else f"{self.method} at {self.budget} % of the width"


@dataclass(frozen=True)
class Comparison:
    """That ``first`` is more than ``above`` percent points of test accuracy above ``second``.

    Fronts are compared within the measured milliseconds of the networks ``at``.
    """

    first: Of
    second: Of
    above: float = 0.0
    at: Of | None = None

    def __str__(self) -> str:
        within = "" if self.at is None else f" within the milliseconds of {self.at}"
        return f"{self.first} less {self.second}{within}"


@dataclass(frozen=True)
class Hypothesis:
    """A ``claim``, which holds if all ``comparisons`` do, and the ``settings`` of the grid that it is tested by."""

    number: int
    claim: str
    settings: StudySettings
    comparisons: tuple[Comparison, ...]


# 10,000 of CIFAR-10's training images on two cores; with all images and a GPU the options of b2nn-study override this.
EFFORT = StudySettings(
    model="cresnet20",
    width=16,
    data="cifar10.npz",
    methods=("mixbin-loss",),
    budgets=(60,),
    seeds=3,
    images=10_000,
    validation=1_000,
    calibration=256,
    float_epochs=50,
    epochs=12,
    activations=(),
    activation_width=16,
    recipe="standard",
    augment="flip-crop",
)
ACTIVATIONS = ("binrelu", "prelu", "rprelu", "hardtanh")


def _method(name: str, budget: str) -> Of:
    return Of("methods", name, budget)


def _front(name: str) -> Of:
    return Of("fronts", name, "")


_FLOAT, _BINARY = Of("reference", LONGER, "100"), Of("reference", "all binary", "least")

HYPOTHESES = (
    Hypothesis(
        1,
        "At 60 % of the FLOPs, MixBin's network loses less than 1 point against the float network that was trained as"
        " long (P, figure 2).",
        replace(EFFORT, longer_float=True),
        (Comparison(_method("mixbin-loss", "60"), _FLOAT, above=-1.0),),
    ),
    Hypothesis(
        2,
        "At 40 and 20 % of the FLOPs, MixBin_Loss beats the mean of five random choices, and the order that P prints"
        " loses to both.",
        replace(EFFORT, methods=("mixbin-loss", "mixbin-loss-printed-order", "random"), budgets=(40, 20), draws=5),
        tuple(
            Comparison(_method(better, budget), _method(worse, budget))
            for budget in ("40", "20")
            for better, worse in (
                ("mixbin-loss", "random"),
                ("mixbin-loss", "mixbin-loss-printed-order"),
                ("random", "mixbin-loss-printed-order"),
            )
        ),
    ),
    Hypothesis(
        3,
        "At 15 and 10 % of the FLOPs, structured pruning (Network Slimming) falls below the all-binary network (P,"
        " table 1).",
        replace(EFFORT, methods=(SLIMMING,), budgets=(15, 10), seeds=2),
        tuple(Comparison(_BINARY, _method(SLIMMING, budget)) for budget in ("15", "10")),
    ),
    Hypothesis(
        4,
        "BinReLU beats PReLU, RPReLU and hardtanh at zero, partial and full binarization.",
        replace(
            EFFORT,
            methods=(),
            seeds=2,
            activations=ACTIVATIONS,
            activation_model="vgg_small",
        ),
        tuple(
            Comparison(Of("activations", ACTIVATIONS[0], level), Of("activations", other, level))
            for level in LEVELS
            for other in ACTIVATIONS[1:]
        ),
    ),
    Hypothesis(
        5,
        "At 40 and 20 % of the FLOPs, a plan found on CIFAR-10 loses less than 1 point on Fashion-MNIST against one"
        " found there, and the other way round (P, table 3).",
        replace(EFFORT, methods=(), other_data="fashion-mnist", budgets=(40, 20), seeds=2),
        tuple(
            Comparison(
                Of("transfer", method("carried", side), budget), Of("transfer", method("own", side), budget), above=-1.0
            )
            for budget in ("40", "20")
            for side in SIDES
        ),
    ),
    Hypothesis(
        6,
        "Within the measured milliseconds of the int8, the W1A2 and the all-binary network, MixBin with 1,8,32 is more"
        " accurate than every other front that has a network as fast.",
        replace(EFFORT, methods=(), fronts=FRONTS),
        tuple(
            Comparison(_front(SEARCHED[-1]), _front(other), at=Of("fronts", limit, "100"))
            for limit in ("int8", "w1a2", "binary")
            for other in FRONTS
            if other != SEARCHED[-1]
        ),
    ),
    Hypothesis(
        7,
        "At 40 and 20 % of the FLOPs, each of exact selection, pairwise terms and short fine-tuning of the runners-up"
        " gains accuracy over the one before it, the first of them over the plain sort.",
        replace(EFFORT, methods=(), selections=SELECTIONS, budgets=(40, 20), seeds=2),
        tuple(
            Comparison(Of("selections", better, budget), Of("selections", worse, budget))
            for budget in ("40", "20")
            for worse, better in pairwise(SELECTIONS)
        ),
    ),
    Hypothesis(
        8,
        "Each part of the fine-tuning of the recipe `standard` raises the accuracy of the all-binary network.",
        replace(EFFORT, methods=(), seeds=2, ablations=tuple(ABLATIONS)),
        tuple(Comparison(_BINARY, Of("recipes", name, "least")) for name in ABLATIONS),
    ),
)


def hypothesis(number: int) -> Hypothesis:
    """The hypothesis of this number; raises InputError, with the choices, for another one."""
    for each in HYPOTHESES:
        if each.number == number:
            return each
    known = ", ".join(str(each.number) for each in HYPOTHESES)
    raise InputError(f"there is no hypothesis {number}; choose one of {known}")


def _level(budget: str) -> str:
    return f"{budget} binarization" if budget in LEVELS else f"{budget} % of the FLOPs"
