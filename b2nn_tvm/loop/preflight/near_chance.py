"""Whether a network is hardly better than guessing: then nothing that is chosen by it means much."""

from __future__ import annotations

from math import sqrt

import numpy as np

from b2nn_tvm.data import DataBundle
from b2nn_tvm.loop.preflight.first_step import labels_of

ODDS = 1.5  # a network whose odds of being right are below so many times those of guessing has learned next to nothing


def near_chance(what: str, accuracy: float, data: DataBundle) -> str | None:
    """A sentence about the network ``what``, whose share of right answers on the validation split is ``accuracy``; None
    where that is clearly better than the best guess, which is the most frequent class.
    """
    chance, images = chance_of(data), len(data.val)
    better = accuracy / max(1 - accuracy, 1e-9) >= ODDS * chance / max(1 - chance, 1e-9)
    told_apart = accuracy > chance + 2 * sqrt(chance * (1 - chance) / images)
    if better and told_apart:
        return None
    return (
        f"{what} is right on {accuracy:.1%} of the {images} validation images, and guessing on {chance:.1%}: train"
        " longer (--float-epochs, --epochs), give trained weights (--checkpoint), or look at the labels and the"
        " learning rate (--lr); a choice of layers by such a network means little"
    )


def chance_of(data: DataBundle) -> float:
    """The share of the most frequent class in the validation split, where its labels are known; else of one class."""
    labels = labels_of(data.val)
    return 1 / data.classes if labels is None else float(np.bincount(labels).max() / len(labels))
