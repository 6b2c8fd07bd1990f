"""The drawn set: the same pixels everywhere, balanced, disjoint, and of a difficulty that lets methods differ."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifier
from torch import nn

from b2nn_tvm import data
from b2nn_tvm.errors import InputError


@pytest.fixture(scope="module")
def bundle() -> data.DataBundle:
    return data.get("shapes")


def splits(bundle: data.DataBundle) -> tuple:
    return (bundle.train, bundle.val, bundle.test)


def digest(pixels: torch.Tensor) -> str:
    return hashlib.sha256(pixels.numpy()).hexdigest()[:16]


def test_shapes_and_classes(bundle: data.DataBundle) -> None:
    assert [len(split) for split in splits(bundle)] == [4000, 1000, 2000]
    assert bundle.name == "shapes" and bundle.classes == 20 and bundle.input_shape == (3, 32, 32)
    assert bundle.class_names[:5] == ("plain disc", "striped disc", "checked disc", "dotted disc", "plain square")
    images, labels = next(iter(bundle.test_loader(100)))
    assert images.shape == (100, 3, 32, 32) and images.dtype == torch.float32 and labels.dtype == torch.int64
    assert torch.equal(images, bundle.test.images[:100])


def test_classes_are_balanced(bundle: data.DataBundle) -> None:
    for split in splits(bundle):
        assert np.bincount(split.labels).tolist() == [len(split) // 20] * 20


def test_no_image_is_in_two_splits(bundle: data.DataBundle) -> None:
    hashes = [hashlib.sha256(image.numpy()).digest() for split in splits(bundle) for image in split.pixels]
    assert len(set(hashes)) == 7000


def test_the_pixels_are_those_of_every_machine(bundle: data.DataBundle) -> None:
    few = data.shapes(size=64, images=(40, 20, 20), seed=1)
    assert digest(bundle.train.pixels[:64]) == "636d91016b6b923f"
    assert digest(bundle.test.pixels[:64]) == "b6a1cba8a5487545"
    assert digest(few.train.pixels) == "e95083ca55ee4d38"


def test_the_larger_size_shows_the_same_scenes() -> None:
    small, large = (data.get(word, size=size) for word, size in (("shapes", None), ("shapes64", 64)))
    assert large.input_shape == (3, 64, 64) and large.name == "shapes64" and large.classes == 20
    assert torch.equal(small.test.labels, large.test.labels)
    shrunk = nn.functional.avg_pool2d(large.test.pixels.float(), 2)
    difference = (shrunk - small.test.pixels).abs().mean(dim=(1, 2, 3))
    stranger = (shrunk.roll(1, 0) - small.test.pixels).abs().mean(dim=(1, 2, 3))
    assert difference.max() < 30 < stranger.min()


def test_pixels_alone_do_not_tell_the_class(bundle: data.DataBundle) -> None:
    """A linear classifier is right for hardly more than one of 20."""
    flat = lambda split: nn.functional.avg_pool2d(split.images, 2).flatten(1).numpy()
    linear = RidgeClassifier(alpha=1e4).fit(flat(bundle.train), bundle.train.labels)
    assert linear.score(flat(bundle.test), bundle.test.labels) < 0.15


def test_other_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="sizes 32, 64, not 48"):
        data.get("shapes", size=48)
    with pytest.raises(InputError, match="no images in its val split"):
        data.shapes(images=(20, 0, 20))
