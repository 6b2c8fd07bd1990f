"""How much an image of each class counts in the loss, for data sets with few images of some classes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from b2nn_tvm.data.batches import BatchIndex
from b2nn_tvm.data.bundle import DataBundle, Images
from b2nn_tvm.data.subset import Subset
from b2nn_tvm.errors import InputError

BALANCED = "balanced"


def class_weights_of(word: str, data: DataBundle) -> tuple[float, ...]:
    """A weight for each class of ``data``: "balanced", or those in the JSON file ``word``.

    Balanced weights are images / (classes * images of the class) of the training split, as scikit-learn has them, so
    that every class counts alike. The file holds an object with a weight by the name of each class. Raises InputError
    where the file is not of this form.
    """
    if word == BALANCED:
        counts = np.bincount(_labels(data.train), minlength=data.classes)
        return tuple((counts.sum() / (data.classes * np.maximum(counts, 1))).tolist())
    path = Path(os.path.expanduser(word))
    try:
        weights = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputError(
            f"class weights {word!r}: expected balanced, or a JSON file with a weight by the name of each class:"
            f" {reason}"
        ) from None
    if not isinstance(weights, dict) or set(weights) != set(data.class_names):
        strange = sorted(set(weights) ^ set(data.class_names)) if isinstance(weights, dict) else []
        raise InputError(
            f"{path}: expected a JSON object with a weight for each of the {data.classes} classes of {data.name}"
            f"{'; these are missing or unknown: ' + ', '.join(strange[:8]) if strange else ''}"
        )
    wrong = [name for name, weight in weights.items() if type(weight) not in (int, float) or not 0 < weight < 1e30]
    if wrong:
        raise InputError(f"{path}: expected weights above zero, but {wrong[0]} has {weights[wrong[0]]!r}")
    return tuple(float(weights[name]) for name in data.class_names)


def _labels(images: Images) -> np.ndarray:
    """The labels of a split; without reading its images where it knows them."""
    if isinstance(images, Subset):
        return _labels(images.images)[list(images.rows)]
    known = getattr(images, "labels", None)
    if known is not None:
        return np.asarray(known, np.int64)
    return np.concatenate([np.asarray(images[BatchIndex((row,))][1], np.int64) for row in range(len(images))])
