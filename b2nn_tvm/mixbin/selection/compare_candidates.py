"""Fine-tune the best choices of a selection for a short while each, and sort them by accuracy.

Scores are measured before any training, and training changes the ranks of choices that are close to one another.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.options import DEFAULT, ConversionOptions
from b2nn_tvm.mixbin.selection.select import Selection
from b2nn_tvm.mixbin.training.finetune import finetune
from b2nn_tvm.progress import Progress, as_progress

PHASE = "fine-tune the candidates"


@dataclass(frozen=True)
class Candidate:
    """A choice, its fine-tuned network, and its share of right answers on the validation split."""

    selection: Selection
    model: nn.Module
    accuracy: float


def compare_candidates(
    model: nn.Module,
    selections: Sequence[Selection],
    data: DataBundle,
    *,
    epochs: int,
    workdir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    conversion: ConversionOptions = DEFAULT,
    **training: Any,
) -> tuple[Candidate, ...]:
    """All of ``selections`` fine-tuned from the float ``model`` with equal effort, the most accurate first.

    Of two equally accurate candidates the less harmful one comes first. ``training`` are options of ``finetune``; with
    a ``workdir`` an interrupted comparison goes on where it stopped. ``progress`` counts selections. Raises InputError
    where there is no selection, and the errors of training.
    """
    if not selections:
        raise InputError("a comparison needs at least one selection")
    progress, found = as_progress(progress), []
    for index, selection in enumerate(selections):
        progress(PHASE, index, len(selections))
        student = conversion.convert(model, selection.binary)
        folder = None if workdir is None else Path(workdir) / f"candidate-{index + 1:02d}"
        trained = finetune(student, model, data, epochs=epochs, workdir=folder, **training)
        found.append(Candidate(selection, student.eval(), trained.accuracy))
    progress(PHASE, len(selections), len(selections))
    return tuple(sorted(found, key=lambda one: (-one.accuracy, one.selection.harm)))
