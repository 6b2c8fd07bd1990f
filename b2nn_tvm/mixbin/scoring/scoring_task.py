"""The task of a selector: a trained float network, the images it is judged on, and the form of its binary layers."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TypedDict, Unpack

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.costs.additive import AdditiveCost
from b2nn_tvm.costs.budget import Number
from b2nn_tvm.costs.precisions import BITS
from b2nn_tvm.data.bundle import Batches, DataBundle
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.options import DEFAULT, ConversionOptions
from b2nn_tvm.mixbin.modules.binarizers import binarize
from b2nn_tvm.mixbin.modules.weight_quantizer import WeightQuantizer
from b2nn_tvm.mixbin.network.capture import capture
from b2nn_tvm.mixbin.network.layers import layer_nodes, trace
from b2nn_tvm.mixbin.scoring.partial_results import PartialResults
from b2nn_tvm.mixbin.training.digests import batches_digest, model_digest
from b2nn_tvm.mixbin.training.loss import Loss
from b2nn_tvm.plan import Plan, Precision
from b2nn_tvm.progress import Progress, as_progress, silent


class ScoringOptions(TypedDict, total=False):
    """The fields of a ScoringTask that have a default, as keywords."""

    conversion: ConversionOptions
    loss: Loss
    seed: int
    cost: AdditiveCost | None
    limit: Number | None
    data: DataBundle | None
    precision: Precision
    path: str | os.PathLike[str] | None


@dataclass(frozen=True)
class ScoringTask:
    """The network whose ``layers`` are to be scored for becoming ``precision``; it is left as it is.

    ``layers`` are names of layers that may have this precision.

    ``batches`` of (images, labels) are the same for every layer; ``loss`` maps (outputs, labels) to a batch's mean.
    ``conversion`` is the form of binary layers. ``cost`` and ``limit`` are the budget, ``data`` is the training data
    and ``seed`` the seed of random numbers, each for the methods that need it. Results are kept in ``path`` as they
    come, and results already there are used again if they belong to the same task.
    """

    model: nn.Module
    batches: Batches
    layers: tuple[str, ...]
    conversion: ConversionOptions = DEFAULT
    loss: Loss = F.cross_entropy
    seed: int = 0
    cost: AdditiveCost | None = None
    limit: Number | None = None
    data: DataBundle | None = None
    precision: Precision = Precision.BINARY
    path: str | os.PathLike[str] | None = None
    progress: Progress = silent

    @classmethod
    def of(
        cls,
        model: nn.Module,
        batches: Batches,
        *,
        layers: Iterable[str] | None = None,
        progress: Progress | None = None,
        **options: Unpack[ScoringOptions],
    ) -> ScoringTask:
        """The task with ``layers`` (default: every one that may have the precision); ``options`` are the other fields.

        Raises InputError where there are no batches or no layers.
        """
        if not isinstance(batches, Sequence) or not batches:
            raise InputError(
                "sensitivity needs a list with at least one batch (images, labels), the same for every layer"
            )
        precision = options.get("precision", Precision.BINARY)
        if precision not in BITS:
            raise InputError(f"layers are scored for becoming {', '.join(BITS)}, not {precision}")
        chosen = trace(model, batches[0][0].shape[1:]).eligible_for(precision) if layers is None else layers
        if not chosen:
            raise InputError(f"no layer of this {type(model).__name__} can be {precision}; there is nothing to score")
        return cls(model, batches, tuple(chosen), progress=as_progress(progress), **options)

    @property
    def in_order(self) -> tuple[str, ...]:
        """The layers in the order in which they run; raises InputError for a name that is not a layer."""
        running = layer_nodes(capture(self.model, self._shape))
        unknown = [name for name in self.layers if name not in running]
        if unknown:
            raise InputError(f"the network has no layer {', '.join(unknown)}; its layers are {', '.join(running)}")
        return tuple(name for name in running if name in self.layers)

    @property
    def _shape(self) -> tuple[int, ...]:
        """The shape of one image."""
        return tuple(self.batches[0][0].shape[1:])

    def convert(self, choice: Plan | Iterable[str], *, model: nn.Module | None = None) -> nn.Module:
        """A copy of the network (or of ``model``) in which the layers of ``choice``, possibly none, are binary."""
        return self.conversion.convert(self.model if model is None else model, choice, input_shape=self._shape)

    def alone(self, name: str) -> nn.Module:
        """A copy of the network in which this layer alone has the task's precision."""
        return self.convert((name,) if self.precision == Precision.BINARY else Plan({name: self.precision}))

    def quantized_weight(self, name: str) -> torch.Tensor:
        """The weights of this layer in the task's precision before any training, detached."""
        weight: torch.Tensor = self.model.get_parameter(f"{name}.weight").detach()
        if self.precision == Precision.BINARY:
            return binarize(weight, self.conversion.binarizer).dense
        bits, _ = BITS[self.precision]
        found: torch.Tensor = WeightQuantizer(bits, weight)(weight).detach()
        return found

    def notes(self, digest: str) -> PartialResults:
        """Partial results beside ``path``, for methods whose layers are not finished one after the other."""
        return PartialResults(None if self.path is None else f"{self.path}.notes", digest)

    def digest(self, *settings: object) -> str:
        """A hash of everything that the scores depend on; ``settings`` are the settings of the method."""
        loss = f"{self.loss.__module__}.{getattr(self.loss, '__qualname__', repr(self.loss))}"
        precision = [] if self.precision == Precision.BINARY else [str(self.precision)]
        words = [*settings, asdict(self.conversion), loss, *precision]
        parts = [model_digest(self.model), batches_digest(self.batches), json.dumps(words)]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()
