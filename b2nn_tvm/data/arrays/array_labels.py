"""Labels of images in the forms in which arrays hold them become the numbers of classes from 0."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from b2nn_tvm.errors import InputError

Labels = Mapping[str, np.ndarray]  # by the names of their arrays


def class_numbers(labels: Labels) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """(The classes of the images, int64 [N] from 0, by array; the names of the classes.)

    An array is [N] or [N, 1] of whole numbers of any type, or of text, or [N, classes] with one 1 in each row. Numbers
    from 1 to the number of classes are counted from 0, and their names are the numbers of the file. Text is numbered in
    sorted order. Raises InputError for any other form, and for text that the first array, of the training images,
    lacks.
    """
    plain = {name: _flat(name, values) for name, values in labels.items()}
    texts = [values.dtype.kind in "US" for values in plain.values()]
    if all(texts):
        return _numbered(plain)
    if any(texts):
        raise InputError(f"{', '.join(plain)}: some are text and others numbers; store all alike")
    numbers = {name: _whole(name, values) for name, values in plain.items()}
    occurring = np.unique(np.concatenate(list(numbers.values())))
    first = 1 if np.array_equal(occurring, np.arange(1, 1 + len(occurring))) else 0
    names = tuple(map(str, range(first, 1 + int(occurring.max(initial=first)))))
    return {name: values - first for name, values in numbers.items()}, names


def _flat(name: str, values: np.ndarray) -> np.ndarray:
    """The labels as one row; rows with one 1 as the places of these."""
    if values.ndim == 2 and values.shape[1] > 1 and values.dtype.kind in "buif":
        if not ((values == 0) | (values == 1)).all() or not (values.sum(axis=1) == 1).all():
            raise InputError(
                f"{name} is {list(values.shape)}, but not every row has a single 1 among zeros: images have one class"
            )
        places: np.ndarray = values.argmax(axis=1)
        return places
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "buifUS":
        raise InputError(
            f"{name} should be whole numbers or text [N], or rows with a single 1 [N, classes], but it is"
            f" {values.dtype} {list(values.shape)}"
        )
    return values


def _numbered(texts: Labels) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    texts = {name: values.astype(str) for name, values in texts.items()}
    names = np.unique(next(iter(texts.values())))
    for name, values in texts.items():
        if unknown := sorted(set(values.tolist()) - set(names.tolist())):
            raise InputError(f"{name} has {unknown[0]!r}, which no training image is")
    numbers = {name: np.searchsorted(names, values).astype(np.int64) for name, values in texts.items()}
    return numbers, tuple(names.tolist())


def _whole(name: str, values: np.ndarray) -> np.ndarray:
    numbers = values.astype(np.int64) if values.dtype.kind != "f" or np.isfinite(values).all() else None
    if numbers is None or (numbers != values).any() or (numbers < 0).any():
        raise InputError(f"{name} should be whole numbers from 0, but it is {values.dtype} with other ones")
    return numbers
