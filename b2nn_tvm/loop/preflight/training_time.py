"""The time that the trainings of a search will take on this machine, said before they begin."""

from __future__ import annotations

import os

from torch import nn

from b2nn_tvm.data import DataBundle
from b2nn_tvm.loop.settings import TrainingSettings
from b2nn_tvm.mixbin.training.recipes.step_time import duration, seconds_per_image
from b2nn_tvm.words.number_of import number_of

# An epoch beside its bare steps: the optimizer, the batches, the validation. In fine-tuning the teacher answers, too.
FLOAT, TUNED = 1.4, 2.2
WORTH_TELLING_S = 60.0


def training_words(model: nn.Module, data: DataBundle, settings: TrainingSettings, *, tuned: int) -> str:
    """One sentence about the time of the float network and of ``tuned`` networks, from two steps of ``model``.

    It is "" where nothing is trained, or all of it takes less than a minute.
    """
    float_epochs = settings.float_epochs or 0
    if not float_epochs and not settings.epochs:
        return ""
    epoch = seconds_per_image(model, data, threads=os.cpu_count() or 1) * len(data.train)
    whole, each = FLOAT * epoch * float_epochs, TUNED * epoch * settings.epochs
    if whole + each * tuned < WORTH_TELLING_S:
        return ""
    parts = [f"{duration(whole)} for {number_of(float_epochs, 'epoch')} of the float network"] * bool(float_epochs)
    if settings.epochs:
        several = f"each of {tuned} networks" if tuned > 1 else "the chosen network"
        parts.append(f"{duration(each)} for {number_of(settings.epochs, 'epoch')} of {several}")
    return f"training by the recipe {settings.recipe} takes about {' and '.join(parts)} on this machine"
