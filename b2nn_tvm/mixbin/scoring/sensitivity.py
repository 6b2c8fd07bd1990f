"""The result of every selector: one score per layer, the lowest to be binarized first, and the file that keeps them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from b2nn_tvm.storage.document import read_document, write_document

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


@dataclass(frozen=True)
class Sensitivity:
    """One score per layer: the lowest is binarized first.

    ``deltas`` holds, for each layer, the rise of the loss with this layer binary, and ``reference_loss`` is the float
    network's loss; a method that measures no loss has no deltas, and None as the reference loss. ``subject`` is a hash
    of the model, the batches and the settings that the scores belong to.
    """

    method: str
    scores: Mapping[str, float]
    deltas: Mapping[str, float] = field(default_factory=dict)
    reference_loss: float | None = None
    subject: str = ""

    @property
    def order(self) -> tuple[str, ...]:
        """The layers by ascending score."""
        return tuple(sorted(self.scores, key=self.scores.__getitem__))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the scores as JSON."""
        rows = [{"name": n, "score": float(s), "delta": self.deltas.get(n)} for n, s in self.scores.items()]
        head = {"method": self.method, "subject": self.subject, "reference_loss": self.reference_loss}
        return write_document(path, KIND, VERSION, {**head, "layers": rows})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Sensitivity:
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

    @classmethod
    def begun(cls, path: str | os.PathLike[str] | None, *, method: str, subject: str) -> Sensitivity:
        """The scores in ``path`` so far; none where there is no file, or the file belongs to another subject."""
        if path is not None and Path(path).exists():
            stored = cls.load(path)
            if stored.subject == subject:
                return stored
        return cls(method, {}, subject=subject)
