"""Which layers of a tracker's trunk go binary: the methods that score classifiers, on pairs and with SiamFC's loss."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from b2nn_tvm.mixbin import methods
from b2nn_tvm.mixbin.layers import trace
from b2nn_tvm.mixbin.selectors.selector import Selector
from b2nn_tvm.mixbin.sensitivity import Sensitivity
from b2nn_tvm.mixbin.subject import Batches, Subject
from b2nn_tvm.plan import Plan
from b2nn_tvm.tracking.siamese import LogisticLoss, SiameseNet

_TRUNK = "trunk."


@dataclass(frozen=True)
class SiameseSubject(Subject):
    """A Siamese network, whose layers are called twice in one pass and are converted in the trunk therefore."""

    def convert(self, choice: Plan | Iterable[str], *, model: SiameseNet | None = None) -> SiameseNet:
        options = {"activation": self.activation, "pad_value": self.pad_value, "binarizer": self.binarizer}
        net = self.model if model is None else model
        return net.convert([name.removeprefix(_TRUNK) for name in choice], **options)


def score(method: str | Selector, net: SiameseNet, batches: Batches, *, radius: float = 1.0, **options) -> Sensitivity:
    """One score per eligible layer of the trunk, by its name in the trunk; ``batches`` are of (pairs, cells).

    ``options`` are fields of Subject. Raises InputError for an unknown method, and what the methods raise.
    """
    selector = methods.get(method) if isinstance(method, str) else method
    side = net.sizes.search
    layers = [_TRUNK + name for name in trace(net.trunk, (3, side, side)).eligible]
    subject = SiameseSubject.of(net, batches, layers=layers, loss=LogisticLoss(net.sizes.response, radius), **options)
    found = selector.score(subject)
    bare = lambda values: {name.removeprefix(_TRUNK): value for name, value in values.items()}
    return replace(found, scores=bare(found.scores), deltas=bare(found.deltas))
