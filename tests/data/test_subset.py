"""Subsets hand out the images that they were drawn from, augmented alike."""

from __future__ import annotations

import torch

from b2nn_tvm.data import TensorImages
from b2nn_tvm.data.augment.augmentation import Augmentation
from b2nn_tvm.data.batches import BatchIndex
from b2nn_tvm.data.subset import subset

IMAGES = TensorImages(torch.randn(20, 1, 6, 6), torch.arange(20), Augmentation(shift=1))


def test_a_subset_is_drawn_once_and_in_order() -> None:
    few = subset(IMAGES, 5)
    images, labels = few[BatchIndex((0, 1, 2, 3, 4))]
    assert len(few) == 5 and sorted(set(labels.tolist())) == labels.tolist() == list(few.rows)
    assert torch.equal(images, IMAGES.images[labels])
    assert few.digest == subset(IMAGES, 5).digest != subset(IMAGES, 6).digest
    assert subset(IMAGES, 5, seed=1).rows != few.rows


def test_augmentation_is_that_of_the_images() -> None:
    few = subset(IMAGES, 5)
    assert few.augmented
    assert torch.equal(few[BatchIndex((2, 0), seed=3)][0], IMAGES[BatchIndex((few.rows[2], few.rows[0]), seed=3)][0])


def test_all_of_them_are_no_subset() -> None:
    assert subset(IMAGES, 0) is IMAGES and subset(IMAGES, 20) is IMAGES
