"""Stratified splits take all classes at the same pace."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.data.split import stratified_split
from b2nn_tvm.errors import InputError


def test_splits_take_all_classes_at_the_same_pace():
    labels = np.repeat([0, 1, 2], [60, 30, 9])
    first, second, rest = stratified_split(labels, (33, 11))
    assert sorted([*first, *second, *rest]) == list(range(99))
    assert np.bincount(labels[first]).tolist() == [20, 10, 3]
    with pytest.raises(InputError, match="leave some"):
        stratified_split(labels, (99,))


def test_a_split_depends_on_the_seed_alone():
    labels = np.repeat([0, 1], 10)
    first, again, other = (stratified_split(labels, (6,), seed=seed)[0].tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_parts_may_be_empty():
    part, rest = stratified_split(np.zeros(4, int), (0,))
    assert (part.tolist(), rest.tolist()) == ([], [0, 1, 2, 3])
