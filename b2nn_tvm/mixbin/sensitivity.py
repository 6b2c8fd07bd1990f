"""The harm of each layer: it alone is binarized in the trained float network, without training, and the loss compared.

Delta_j = L(only j binary) - L(float) is positive where binarizing harms. MixBin (algorithm 1) prints kappa_j = -Delta_j
and "sort kappa ascending, take the first k", which would take the most harmful layers; here the least harmful go first,
and kappa is never exposed, so that the order cannot flip unseen.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.document import read_document, write_document
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.batchnorm import reestimate
from b2nn_tvm.mixbin.convert import convert
from b2nn_tvm.mixbin.fingerprint import batches_digest, model_digest
from b2nn_tvm.mixbin.layers import trace
from b2nn_tvm.mixbin.loss import Loss, mean_loss

KIND, VERSION = "sensitivity", 1
SCHEMA = {
    "type": "object",
    "required": ["method", "subject", "reference_loss", "layers"],
    "properties": {
        "method": {"type": "string"},
        "subject": {"type": "string"},
        "reference_loss": {"type": ["number", "null"]},
        "layers": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "score", "delta"],
                "properties": {
                    "name": {"type": "string"},
                    "score": {"type": "number"},
                    "delta": {"type": ["number", "null"]},
                },
            },
        },
    },
}

Batches = Sequence[tuple[torch.Tensor, torch.Tensor]]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Sensitivity:
    """One score per layer, in network order: the lowest is binarized first.

    ``deltas`` holds the rise of the loss of each layer, ``reference_loss`` the float network's; both are empty where a
    method measures nothing. ``subject`` is a hash of the model, the batches and the settings the scores belong to.
    """

    method: str
    scores: Mapping[str, float]
    deltas: Mapping[str, float]
    reference_loss: float | None
    subject: str

    def save(self, path: str | os.PathLike) -> Path:
        """Write the scores as JSON."""
        rows = [{"name": n, "score": float(s), "delta": self.deltas.get(n)} for n, s in self.scores.items()]
        head = {"method": self.method, "subject": self.subject, "reference_loss": self.reference_loss}
        return write_document(path, KIND, VERSION, {**head, "layers": rows})

    @classmethod
    def load(cls, path: str | os.PathLike) -> Sensitivity:
        """Read what ``save`` wrote; raises InputError where it is something else."""
        document = read_document(path, KIND, VERSION, SCHEMA)
        rows = document["layers"]
        return cls(
            method=document["method"],
            scores={row["name"]: row["score"] for row in rows},
            deltas={row["name"]: row["delta"] for row in rows if row["delta"] is not None},
            reference_loss=document["reference_loss"],
            subject=document["subject"],
        )


# From (delta, the re-estimated network with one binary layer, its name, batches, loss) to the layer's score.
Scoring = Callable[[float, nn.Module, str, Batches, Loss], float]


def measure(
    model: nn.Module,
    batches: Batches,
    *,
    method: str,
    scoring: Scoring,
    names: Sequence[str] | None = None,
    activation: str = "binrelu",
    pad_value: int = 0,
    loss: Loss = F.cross_entropy,
    path: str | os.PathLike | None = None,
    progress: Progress | None = None,
) -> Sensitivity:
    """Score each layer in ``names`` (default: every eligible one) on the same batches; the model is left as it is.

    Batch norm statistics are re-estimated on the batches after binarizing, and for the float reference too, so that
    Delta is of the binarization alone. ``path`` keeps the scores as they come and takes up those already there, if they
    belong to the same model, batches and settings. ``progress`` is called with (layers done, layers in all).
    Raises InputError where there are no batches, no eligible layers, or the loss is not finite.
    """
    if not isinstance(batches, Sequence) or not batches:
        raise InputError("sensitivity needs a list with at least one batch (images, labels), the same for every layer")
    names = trace(model, batches[0][0].shape[1:]).eligible if names is None else list(names)
    if not names:
        raise InputError(f"no layer of this {type(model).__name__} can be binarized; there is nothing to score")
    settings = [method, activation, pad_value, f"{loss.__module__}.{getattr(loss, '__qualname__', repr(loss))}"]
    parts = [model_digest(model), batches_digest(batches), json.dumps(settings)]
    subject = hashlib.sha256(" ".join(parts).encode()).hexdigest()
    found = _stored(path, subject) or Sensitivity(method, {}, {}, None, subject)
    if found.reference_loss is None:
        # convert() without names: an untouched copy.
        found = replace(found, reference_loss=mean_loss(reestimate(convert(model, ()), batches), batches, loss=loss))
    for done, name in enumerate(names):
        if progress:
            progress(done, len(names))
        if name in found.scores:
            continue
        binary = reestimate(convert(model, (name,), activation=activation, pad_value=pad_value), batches)
        delta = mean_loss(binary, batches, loss=loss) - found.reference_loss
        score = scoring(delta, binary, name, batches, loss)
        found = replace(found, scores={**found.scores, name: score}, deltas={**found.deltas, name: delta})
        if path is not None:
            found.save(path)
    if progress:
        progress(len(names), len(names))
    pick = lambda values: {name: values[name] for name in names}
    return replace(found, scores=pick(found.scores), deltas=pick(found.deltas))


def _stored(path: str | os.PathLike | None, subject: str) -> Sensitivity | None:
    if path is None or not Path(path).exists():
        return None
    stored = Sensitivity.load(path)
    return stored if stored.subject == subject else None
