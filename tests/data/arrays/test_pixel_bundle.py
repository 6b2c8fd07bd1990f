"""Arrays of bytes as a data set."""

from __future__ import annotations

import numpy as np
import torch

from b2nn_tvm.data.arrays.pixel_bundle import pixel_bundle, with_validation

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 3, 6, 8), np.uint8)
LABELS = np.arange(40) % 4


def test_images_are_normalized_by_the_training_images_alone() -> None:
    test = np.frombuffer(bytes(20 * 6 * 8 * 3), np.uint8).reshape(20, 6, 8, 3).transpose(0, 3, 1, 2)  # read only
    bundle = pixel_bundle("mine", {"train": (IMAGES, LABELS), "test": (test, LABELS[:20])}, class_names="abcd")
    assert [len(split) for split in (bundle.train, bundle.val, bundle.test)] == [36, 4, 20]
    trained = bundle.train.images
    assert torch.allclose(trained.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(trained.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-4)
    assert bundle.input_shape == (3, 6, 8) and bundle.class_names == ("a", "b", "c", "d") and bundle.workers == 0
    assert np.array_equal(bundle.preprocess.normalized(test.transpose(0, 2, 3, 1)), bundle.test.images)


def test_a_tenth_of_each_class_is_held_out_unless_there_is_val() -> None:
    parts = with_validation({"train": (IMAGES, LABELS)})
    assert sorted(parts["val"][1]) == [0, 1, 2, 3] and len(parts["train"][1]) == 36
    assert with_validation({"train": (IMAGES, LABELS), "val": (IMAGES, LABELS)})["train"][0] is IMAGES
