"""Bytes of pixels are what their floats are, batch by batch."""

from __future__ import annotations

import pytest
import torch

from b2nn_tvm.data import PixelImages, TensorImages
from b2nn_tvm.data.augment.augmentation import Augmentation
from b2nn_tvm.data.batches import BatchIndex
from b2nn_tvm.data.pixels import statistics

MEAN, STD = (0.5, 0.25), (0.5, 2.0)


@pytest.fixture(scope="module")
def split() -> PixelImages:
    source = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (5, 2, 6, 6), generator=source, dtype=torch.uint8)
    return PixelImages(pixels, torch.arange(5), MEAN, STD, Augmentation(shift=1))


def test_pixels_are_normalized_per_channel():
    images = PixelImages(torch.tensor([[[[255]], [[51]]]], dtype=torch.uint8), torch.tensor([7]), MEAN, STD).images
    torch.testing.assert_close(images, torch.tensor([[[[1.0]], [[-0.025]]]]))


@pytest.mark.parametrize("seed", [None, 3])
def test_a_batch_is_that_of_the_floats(split, seed):
    floats = TensorImages(split.images, split.labels, Augmentation(shift=1))
    images, labels = split[BatchIndex((4, 1, 2), seed)]
    rows = TensorImages(floats.images[[4, 1, 2]], floats.labels[[4, 1, 2]], Augmentation(shift=1))
    assert torch.equal(images, rows[BatchIndex((0, 1, 2), seed)][0]) and labels.tolist() == [4, 1, 2]


def test_the_digest_is_of_pixels_labels_and_normalization(split):
    digest = lambda **changes: PixelImages(**{**vars(split), **changes}).digest
    other = split.pixels.clone()
    other[0, 0, 0, 0] ^= 1
    digests = [digest(), digest(pixels=other), digest(labels=split.labels + 1), digest(std=(0.5, 1.0))]
    digests.append(digest(augment=Augmentation()))
    assert len(set(digests)) == 5 and digest() == digests[0]
    assert split.augmented and len(split) == 5


def test_statistics_are_those_of_the_floats(split):
    mean, std = statistics(split.pixels)
    floats = split.pixels.double() / 255
    torch.testing.assert_close(torch.tensor(mean).double(), floats.mean((0, 2, 3)), rtol=0, atol=1e-7)
    torch.testing.assert_close(torch.tensor(std).double(), floats.std((0, 2, 3), correction=0), rtol=0, atol=1e-7)
    assert statistics(torch.full((2, 1, 3, 3), 51, dtype=torch.uint8)) == ((0.2,), (1e-6,))


@pytest.mark.parametrize(
    "augment",
    [Augmentation(), Augmentation(shift=1), Augmentation(least_area=0.5), Augmentation(shift=1, operations=3)],
    ids=["none", "shift", "crop", "operations"],
)
def test_batches_are_made_where_the_pixels_are(augment: Augmentation):
    """On torch's device without values, where tensors of two devices cannot be mixed: no batch comes from the CPU."""
    pixels = torch.zeros(40, 3, 8, 8, dtype=torch.uint8)
    moved = PixelImages(pixels, torch.zeros(40, dtype=torch.int64), (0.5,) * 3, (0.5,) * 3, augment)
    images, labels = moved.on(torch.device("meta"))[BatchIndex(tuple(range(40)), 3)]
    assert (images.device.type, labels.device.type) == ("meta", "meta")
    assert images.shape == (40, 3, 8, 8) and images.dtype == torch.float32
