"""Images in memory of another size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL.Image import fromarray

from b2nn_tvm import data
from b2nn_tvm.data.augment.augmentation import Augmentation
from b2nn_tvm.data.resized import resized
from b2nn_tvm.data.subset import subset
from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess import Preprocess


@pytest.fixture(params=[3, 1])
def bundle(request: pytest.FixtureRequest) -> data.DataBundle:
    shape = (request.param, 12, 16)
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, *shape), np.uint8))
    mean, std = (0.5,) * request.param, (0.25,) * request.param
    split = data.PixelImages(pixels, torch.tensor([0, 1, 0, 1]), mean, std, Augmentation(shift=2))
    return data.DataBundle(
        "mine", split, split, split, ("a", "b"), shape, mean, std, preprocess=Preprocess.covering(shape, mean, std)
    )


def test_pixels_are_what_evaluation_makes_of_such_a_picture(bundle: data.DataBundle) -> None:
    for size in (8, 24):
        other = resized(bundle, size)
        assert other.input_shape == (bundle.input_shape[0], size, size) and other.train.augment.shift == size // 6
        pixels = bundle.test.pixels[2].permute(1, 2, 0).numpy()
        picture = fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)
        assert np.array_equal(other.preprocess(picture)[0], other.test.images[2].numpy())
    square = resized(bundle, 16)
    assert resized(square, 16) is square


def test_floats_are_interpolated(bundle: data.DataBundle) -> None:
    columns = torch.arange(16.0).expand(2, 1, 12, 16)  # of the middle 12 columns, 2 and 3 become 2.5
    split = data.TensorImages(columns, torch.tensor([0, 1]))
    floats = data.DataBundle("floats", split, split, split, ("a", "b"), (1, 12, 16), (0.0,), (1.0,))
    small = resized(floats, 6)
    assert small.preprocess is None and small.input_shape == (1, 6, 6)
    torch.testing.assert_close(small.train.images[0, 0, 0, 1:-1], torch.tensor([4.5, 6.5, 8.5, 10.5]))


def test_other_splits_and_sizes_are_refused(bundle: data.DataBundle) -> None:
    with pytest.raises(InputError, match="mine: its images have a size of their own; leave out size 8"):
        resized(replace(bundle, train=subset(bundle.train, 3)), 8)
    with pytest.raises(InputError, match="at least one pixel, not 0"):
        resized(bundle, 0)
