"""Names of arrays, and what they mean."""

from __future__ import annotations

import pytest

from b2nn_tvm.data.arrays.array_names import standard_names
from b2nn_tvm.errors import InputError


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("x_train", "x_train"),
        ("train_images", "x_train"),
        ("trainLabels", "y_train"),
        ("X-test", "x_test"),
        ("xval", "x_val"),
        ("validation.targets", "y_val"),
        ("testing_data", "x_test"),
        ("dev_y", "y_val"),
        ("images", "x"),
        ("label", "y"),
    ],
)
def test_a_split_and_a_kind_in_any_order(name: str, meaning: str) -> None:
    assert standard_names([name]) == {meaning: name}


@pytest.mark.parametrize("name", ["arr_0", "class_names", "train", "x_train_mean", "mean", "train_test_x", "xy", ""])
def test_other_names_mean_nothing(name: str) -> None:
    assert standard_names([name]) == {}


def test_two_names_of_one_meaning_are_refused() -> None:
    with pytest.raises(InputError, match="both x_train and X_train would be x_train"):
        standard_names(["x_train", "X_train"])
