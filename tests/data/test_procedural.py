"""The drawn set: the same pixels everywhere, balanced, disjoint, and of a difficulty that lets methods differ."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifier
from torch.nn import functional

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
    pixels = bundle.test.pixels[:100].permute(0, 2, 3, 1).numpy()
    assert torch.equal(torch.from_numpy(bundle.preprocess.normalized(pixels)), images)  # to the last bit


def test_classes_are_balanced(bundle: data.DataBundle) -> None:
    for split in splits(bundle):
        assert np.bincount(split.labels).tolist() == [len(split) // 20] * 20


def test_no_image_is_in_two_splits(bundle: data.DataBundle) -> None:
    hashes = [hashlib.sha256(image.numpy()).digest() for split in splits(bundle) for image in split.pixels]
    assert len(set(hashes)) == 7000


def test_the_pixels_are_those_of_every_machine(bundle: data.DataBundle) -> None:
    few = data.shapes(size=64, images=(40, 20, 20), seed=1)
    assert digest(bundle.train.pixels[:64]) == "3d1586122964aec8"
    assert digest(bundle.test.pixels[:64]) == "a1a92c790c1ba258"
    assert digest(few.train.pixels) == "a5a28e17c2bf3600"


@pytest.mark.sweep
def test_the_larger_size_shows_the_same_scenes(bundle: data.DataBundle) -> None:
    large = data.get("shapes64")
    assert large.input_shape == (3, 64, 64) and large.name == "shapes64" and large.classes == 20
    assert torch.equal(bundle.test.labels, large.test.labels)
    shrunk = functional.avg_pool2d(large.test.pixels.float(), 2)
    difference = (shrunk - bundle.test.pixels).abs().mean(dim=(1, 2, 3))
    stranger = (shrunk.roll(1, 0) - bundle.test.pixels).abs().mean(dim=(1, 2, 3))
    assert difference.max() < 30 < stranger.min()


def accuracy(bundle: data.DataBundle, features: Callable[[torch.Tensor], torch.Tensor], alpha: float) -> float:
    """Of a linear classifier on features of the images."""
    linear = RidgeClassifier(alpha=alpha).fit(features(bundle.train.images).numpy(), bundle.train.labels)
    return linear.score(features(bundle.test.images).numpy(), bundle.test.labels)


def test_pixels_by_themselves_tell_little_of_the_class(bundle: data.DataBundle) -> None:
    assert accuracy(bundle, lambda images: functional.avg_pool2d(images, 2).flatten(1), 1e4) < 0.2


def test_convolutions_tell_it_but_not_at_once(bundle: data.DataBundle) -> None:
    """Patches of training images as filters, untrained: more than twice as many are right."""
    gray = bundle.train.images.mean(dim=1, keepdim=True)
    filters = torch.stack([image[:, 6 + n % 13 :, 6 + n // 5 :][:, :7, :7] for n, image in enumerate(gray[:64])])
    filters = filters - filters.mean(dim=(1, 2, 3), keepdim=True)
    filters = filters / filters.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()

    def features(images: torch.Tensor) -> torch.Tensor:
        answers = functional.conv2d(images.mean(dim=1, keepdim=True), filters, stride=2)
        return torch.cat([answers.amax((2, 3)), answers.relu().mean((2, 3)), answers.square().mean((2, 3)).sqrt()], 1)

    assert 0.35 < accuracy(bundle, features, 1.0) < 0.6


def test_other_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="sizes 32, 64, not 48"):
        data.get("shapes", size=48)
    with pytest.raises(InputError, match="no images in its val split"):
        data.shapes(images=(20, 0, 20))
