"""Weights of classes: balanced ones, and those of a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from b2nn_tvm import data
from b2nn_tvm.data.class_weights import class_weights_of
from b2nn_tvm.data.subset import Subset
from b2nn_tvm.errors import InputError

SPLIT = data.TensorImages(torch.zeros(8, 1, 2, 2), torch.tensor([0, 0, 0, 0, 0, 0, 1, 1]))
BUNDLE = data.DataBundle("few", SPLIT, SPLIT, SPLIT, ("ant", "bee"), (1, 2, 2), (0.0,), (1.0,))


class Own:
    """A split that says nothing of its labels but in its batches."""

    def __len__(self) -> int:
        return len(SPLIT)

    def __getitem__(self, index: object) -> object:
        return SPLIT[index]


@pytest.mark.parametrize("train", [SPLIT, Own()], ids=["labels", "batches"])
def test_balanced_classes_count_alike(train: object) -> None:
    weights = class_weights_of("balanced", replace(BUNDLE, train=train))
    assert weights == pytest.approx((8 / (2 * 6), 8 / (2 * 2)))


def test_a_subset_is_balanced_by_its_own_images() -> None:
    assert class_weights_of("balanced", replace(BUNDLE, train=Subset(SPLIT, (0, 6)))) == (1.0, 1.0)


def test_a_file_has_a_weight_by_each_name(tmp_path: Path) -> None:
    file = tmp_path / "weights.json"
    file.write_text('{"bee": 2, "ant": 0.5}')
    assert class_weights_of(str(file), BUNDLE) == (0.5, 2.0)
    for text, message in (
        ("{", "expected balanced, or a JSON file"),
        ("[1, 2]", "a JSON object with a weight for each of the 2 classes of few$"),
        ('{"ant": 1, "wasp": 1}', "missing or unknown: bee, wasp"),
        ('{"ant": 1, "bee": 0}', "above zero, but bee has 0"),
        ('{"ant": 1, "bee": true}', "above zero, but bee has True"),
        ('{"ant": 1, "bee": NaN}', "above zero, but bee has nan"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            class_weights_of(str(file), BUNDLE)
    with pytest.raises(InputError, match="class weights 'balance': expected balanced, .*: No such file or directory$"):
        class_weights_of("balance", BUNDLE)
