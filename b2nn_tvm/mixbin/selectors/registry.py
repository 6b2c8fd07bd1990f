"""The methods that score layers, by name: one interface, the lowest score is binarized first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Unpack

from torch import nn

from b2nn_tvm.data.bundle import Batches
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringOptions, ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.mixbin.selectors.adaptive_mbq import AdaptiveMbq
from b2nn_tvm.mixbin.selectors.bnas_amplitude import BnasAmplitude
from b2nn_tvm.mixbin.selectors.front import Front
from b2nn_tvm.mixbin.selectors.greedy import Greedy
from b2nn_tvm.mixbin.selectors.hawq_v2 import HawqV2
from b2nn_tvm.mixbin.selectors.hybrid import Hybrid
from b2nn_tvm.mixbin.selectors.mixbin_grad import MixBinGrad
from b2nn_tvm.mixbin.selectors.mixbin_loss import MixBinLoss
from b2nn_tvm.mixbin.selectors.pseudo_random import PseudoRandom
from b2nn_tvm.mixbin.selectors.random_order import RandomOrder
from b2nn_tvm.mixbin.selectors.rear import Rear
from b2nn_tvm.mixbin.selectors.selector import Selector
from b2nn_tvm.plan import Precision
from b2nn_tvm.progress import Progress

_SELECTORS: tuple[Callable[[], Selector], ...] = (
    MixBinLoss,
    MixBinGrad,
    lambda: MixBinLoss(printed_order=True),
    lambda: MixBinGrad(printed_order=True),
    RandomOrder,
    Front,
    Rear,
    PseudoRandom,
    Greedy,
    lambda: Greedy(epochs=1),
    lambda: BnasAmplitude("raw"),
    lambda: BnasAmplitude("per-weight"),
    lambda: BnasAmplitude("relative"),
    lambda: AdaptiveMbq(1),
    lambda: AdaptiveMbq(2),
    HawqV2,
    Hybrid,
)
_REGISTRY: dict[str, Selector] = {selector.name: selector for selector in (make() for make in _SELECTORS)}

# The methods whose scores also depend on the budget, or on training data.
NEED_BUDGET = frozenset({"pseudo-random", "greedy-trained"})
NEED_TRAINING_DATA = frozenset({"greedy-trained"})

# The methods whose scores are an order of the layers, or a mixture with their cost: no harms that could be summed up.
ORDERS = frozenset(
    {
        *("random", "front", "rear", "pseudo-random", "greedy", "greedy-trained", "hybrid"),
        *("mixbin-loss-printed-order", "mixbin-grad-printed-order"),
    }
)

# The methods whose score of a layer does not depend on which others are scored: some of them can be scored elsewhere.
IN_PARTS = frozenset(
    {
        *("mixbin-loss", "mixbin-grad", "mixbin-loss-printed-order", "mixbin-grad-printed-order"),
        *("mbq-first-order", "mbq-second-order"),
    }
)

# The methods that score a layer's becoming int8, W1A2 or W2A2 as well as its becoming binary.
KNOW_PRECISIONS = frozenset({"mixbin-loss", "mixbin-grad", "mbq-first-order", "mbq-second-order", "hawq-v2"})


def names() -> tuple[str, ...]:
    """The names of all methods."""
    return tuple(_REGISTRY)


def get(method: str) -> Selector:
    """The method of this name with its usual options; raises InputError, with the choices, for an unknown name."""
    if method not in _REGISTRY:
        raise InputError(f"unknown method {method!r}; choose one of {', '.join(_REGISTRY)}")
    return _REGISTRY[method]


def refuse_precisions(method: str, *precisions: str) -> None:
    """Raise InputError where the method of this name does not know one of these precisions."""
    other = [each for each in precisions if each not in ("float", "binary")]
    if other and method not in KNOW_PRECISIONS:
        raise InputError(
            f"the method {method} tells binary from float alone, and not {', '.join(other)}; the methods that know more"
            f" precisions are {', '.join(name for name in _REGISTRY if name in KNOW_PRECISIONS)}"
        )


def score(
    method: str | Selector,
    model: nn.Module,
    batches: Batches,
    *,
    layers: Iterable[str] | None = None,
    progress: Progress | None = None,
    **options: Unpack[ScoringOptions],
) -> Sensitivity:
    """One score per layer (default: every eligible one) by ``method``, a name or a selector with options of its own.

    ``options`` are the fields of ScoringTask: precision, seed, cost and limit, data, path and others. With a path the
    scores are saved there. The phase of ``progress`` is the method's name. Raises InputError for an unknown method, for
    a precision that the method does not know, and the errors of the methods.
    """
    selector = get(method) if isinstance(method, str) else method
    refuse_precisions(selector.name, options.get("precision", Precision.BINARY))
    task = ScoringTask.of(model, batches, layers=layers, progress=progress, **options)
    found = selector.score(task)
    if task.path is not None:
        found.save(task.path)
    return found
