"""The digits: their splits, classes and pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from b2nn_tvm import data


@pytest.fixture(scope="module")
def bundle():
    return data.get("digits")


def test_shapes_and_classes(bundle):
    assert (len(bundle.train), len(bundle.val), len(bundle.test)) == (1077, 360, 360)
    assert bundle.input_shape == (3, 32, 32) and bundle.classes == 10 and bundle.name == "digits"
    for split in (bundle.train, bundle.val, bundle.test):
        assert split.images.shape[1:] == bundle.input_shape and split.images.dtype == torch.float32
        assert split.labels.dtype == torch.int64 and set(split.labels.tolist()) == set(range(10))


def test_as_pixels_they_are_nearly_the_same(bundle):
    """They have 17 levels blended by 4, so that a file of 8 bits rounds them by up to half a level."""
    images = bundle.test.images[:20].numpy()
    again = bundle.preprocess.normalized(bundle.preprocess.denormalized(images))
    assert 0 < np.abs(again - images).max() <= 0.501 / 255 / bundle.std[0]


def test_the_splits_are_disjoint_and_complete(bundle):
    """Pixels come back from the images, and each source image is in exactly one split."""
    pixels, _ = load_digits(return_X_y=True)
    parts = (
        torch.cat([bundle.train.images, bundle.val.images, bundle.test.images])[:, 0] * bundle.std[0] + bundle.mean[0]
    )
    # Bilinear by 4: the mean of the 2x2 centre of each 4x4 block is the source pixel blended with its neighbours, and
    # invertible; the blend of all sources must be a permutation of ours.
    small = torch.from_numpy(pixels.reshape(-1, 1, 8, 8).astype(np.float32) / 16)
    sources = torch.nn.functional.interpolate(small, scale_factor=4, mode="bilinear")[:, 0]
    keys = lambda images: sorted(
        np.round(image.numpy().astype(np.float64) * 1e4).astype(int).tobytes() for image in images
    )
    assert keys(parts.double().round(decimals=4)) == keys(sources.double().round(decimals=4))


def test_the_training_images_are_normalized(bundle):
    assert abs(float(bundle.train.images.mean())) < 1e-4 and abs(float(bundle.train.images.std()) - 1) < 1e-4


def test_classes_are_balanced_in_each_split(bundle):
    whole = np.bincount(load_digits(return_X_y=True)[1]) / 1797
    for split in (bundle.train, bundle.val, bundle.test):
        share = np.bincount(split.labels) / len(split)
        assert np.abs(share - whole).max() < 1.1 / len(split) + 1e-9


def test_it_is_the_same_each_time(bundle):
    again = data.digits()
    assert (again.train.digest, again.val.digest, again.test.digest) == (
        bundle.train.digest,
        bundle.val.digest,
        bundle.test.digest,
    )
    assert len({again.train.digest, again.val.digest, again.test.digest}) == 3
