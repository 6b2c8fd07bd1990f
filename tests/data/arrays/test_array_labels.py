"""Labels in the forms that people store."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.data.arrays.array_labels import class_numbers
from b2nn_tvm.errors import InputError

CLASSES = np.array([2, 0, 1, 1, 2])
NAMES = np.array(["ant", "bee", "cow"])


@pytest.mark.parametrize(
    "labels",
    [CLASSES, CLASSES[:, None], CLASSES.astype(np.uint8), CLASSES.astype(np.float32), np.eye(3)[CLASSES]],
    ids=["plain", "column", "bytes", "floats", "rows"],
)
def test_numbers_of_any_type_and_rows_with_a_single_1(labels: np.ndarray) -> None:
    found, names = class_numbers({"y": labels})
    assert found["y"].dtype == np.int64 and np.array_equal(found["y"], CLASSES) and names == ("0", "1", "2")


@pytest.mark.parametrize("kind", ["U", "S"])
def test_text_is_numbered_in_sorted_order(kind: str) -> None:
    found, names = class_numbers({"y_train": NAMES[CLASSES].astype(kind), "y_test": NAMES[:1].astype(kind)})
    assert np.array_equal(found["y_train"], CLASSES) and found["y_test"].tolist() == [0] and names == tuple(NAMES)


def test_numbers_from_1_are_counted_from_0_and_keep_their_names() -> None:
    found, names = class_numbers({"y_train": CLASSES + 1, "y_test": np.array([3])})
    assert np.array_equal(found["y_train"], CLASSES) and found["y_test"].tolist() == [2] and names == ("1", "2", "3")


def test_numbers_with_gaps_stay() -> None:
    """They may be those of a checkpoint for more classes."""
    found, names = class_numbers({"y": np.array([1, 5])})
    assert found["y"].tolist() == [1, 5] and len(names) == 6


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"y": np.array([0.5, 1])}, "y should be whole numbers from 0.*float64"),
        ({"y": np.array([np.nan, 1])}, "whole numbers"),
        ({"y": np.array([-1, 1])}, "whole numbers from 0"),
        ({"y": np.array([[1, 1], [0, 1]])}, "not every row has a single 1"),
        ({"y": np.zeros((2, 2, 2))}, r"text \[N\].*float64 \[2, 2, 2\]"),
        ({"y": NAMES, "z": np.array([0])}, "y, z: some are text and others numbers"),
        ({"y": NAMES, "z": np.array(["dog"])}, "z has 'dog', which no training image is"),
    ],
)
def test_anything_else_is_refused(labels: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(InputError, match=message):
        class_numbers(labels)
