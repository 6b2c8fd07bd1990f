"""Deterministic stratified splits: each part has each class in the same proportion, on every machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from b2nn_tvm.errors import InputError


def stratified_split(labels: np.ndarray, counts: Sequence[int], *, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Disjoint sorted index arrays of the sizes ``counts``, followed by an array with the rest of the indices.

    ``labels`` is an integer array [N]. Raises InputError where the counts leave no rest.
    """
    if sum(counts) >= len(labels):
        raise InputError(
            f"cannot take {' + '.join(map(str, counts))} out of {len(labels)} images and leave some to train on"
        )
    source = np.random.RandomState(seed)  # its stream is frozen by numpy, unlike that of default_rng
    position = np.empty(len(labels))
    for label in np.unique(labels):
        members = source.permutation(np.flatnonzero(labels == label))
        position[members] = (np.arange(len(members)) + 0.5) / len(members)
    order = np.argsort(position, kind="stable")  # this order takes from all classes at the same pace
    return tuple(np.sort(part) for part in np.split(order, np.cumsum(counts)))
