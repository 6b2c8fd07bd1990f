"""Scores of the layers of a tracker's trunk, by the methods that score classifiers, on pairs and with SiamFC's loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar, cast

from torch import nn

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.data.bundle import Batches
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.scoring.scoring_task import ScoringTask
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity
from b2nn_tvm.mixbin.selectors import registry as methods
from b2nn_tvm.mixbin.selectors.selector import Selector
from b2nn_tvm.plan import Plan
from b2nn_tvm.tracking.siamese import LogisticLoss, SiameseNet

Value = TypeVar("Value")

_TRUNK = "trunk."


@dataclass(frozen=True)
class SiameseScoringTask(ScoringTask):
    """The scoring of a Siamese network: its layers are called twice in one pass, so the trunk itself is converted."""

    def convert(self, choice: Plan | Iterable[str], *, model: nn.Module | None = None) -> SiameseNet:
        net = cast("SiameseNet", self.model if model is None else model)  # the tasks of this class hold this type
        if isinstance(choice, Plan):
            choice = replace(choice, layers=_bare(choice.layers))
        else:
            choice = _bare(dict.fromkeys(choice))
        return net.convert(choice, **asdict(self.conversion))


def score(
    method: str | Selector,
    net: SiameseNet,
    batches: Batches,
    *,
    layers: Iterable[str] | None = None,
    radius: float = 1.0,
    cost: AdditiveCost | None = None,
    **options: Any,
) -> Sensitivity:
    """One score per layer, by the names of the layers in the trunk; by default every eligible layer is scored.

    ``batches`` are of (pairs, cells), ``radius`` is as in LogisticLoss, ``cost`` is that of the trunk and ``options``
    are further fields of ScoringTask. Raises InputError for an unknown method, and the errors of the methods.
    """
    selector = methods.get(method) if isinstance(method, str) else method
    side = net.sizes.search
    chosen = trace(net.trunk, (3, side, side)).eligible if layers is None else layers
    if cost is not None:
        cost = replace(cost, float_cost=_prefixed(cost.float_cost), binary_cost=_prefixed(cost.binary_cost))
    loss = LogisticLoss(net.sizes.response, radius)
    layers = tuple(_prefixed(dict.fromkeys(chosen)))
    found = selector.score(SiameseScoringTask.of(net, batches, layers=layers, loss=loss, cost=cost, **options))
    return replace(found, scores=_bare(found.scores), deltas=_bare(found.deltas))


def _prefixed(values: Mapping[str, Value]) -> dict[str, Value]:
    return {_TRUNK + name: value for name, value in values.items()}


def _bare(values: Mapping[str, Value]) -> dict[str, Value]:
    return {name.removeprefix(_TRUNK): value for name, value in values.items()}
