"""Loaders, calibration and augmentation of the digits, and what no data set can be."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from b2nn_tvm import data
from b2nn_tvm.data.augment.augmentation import Augmentation
from b2nn_tvm.data.subset import subset
from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess import Preprocess


@pytest.fixture(scope="module")
def bundle():
    return data.get("digits")


def test_loaders(bundle):
    loader = bundle.train_loader(100, seed=1)
    images, labels = next(iter(loader))
    assert images.shape == (100, 3, 32, 32) and labels.shape == (100,) and len(loader) == 10
    assert torch.equal(images, next(iter(bundle.train_loader(100, seed=1)))[0])
    assert torch.equal(torch.cat([labels for _, labels in bundle.val_loader(100)]), bundle.val.labels)
    assert torch.equal(torch.cat([images for images, _ in bundle.test_loader()]), bundle.test.images)
    assert torch.equal(torch.cat([images for images, _ in bundle.fit_loader()]), bundle.train.images)


def test_a_data_set_is_a_line_when_it_is_printed(bundle):
    assert repr(bundle) == "<DataBundle digits: 1,077 + 360 + 360 images of 3x32x32 (train, val, test) in 10 classes>"
    assert repr(bundle.test) == "<TensorImages: 360 of 3x32x32>"
    assert repr(subset(bundle.test, 5)) == "<Subset: 5 of <TensorImages: 360 of 3x32x32>>"


def test_calibration_is_a_fixed_part_of_the_training_images(bundle):
    one, two = bundle.calibration(100, batch=32), bundle.calibration(100, batch=32)
    assert [len(labels) for _, labels in one] == [32, 32, 32, 4]
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(one, two, strict=True))
    rows = {image.numpy().tobytes() for image in bundle.train.images}
    chosen = [image.numpy().tobytes() for images, _ in one for image in images]
    assert set(chosen) <= rows
    with pytest.raises(InputError, match="above zero"):
        bundle.calibration(0)


def test_augmentation_moves_and_flips_but_only_while_training(bundle):
    moving = data.TensorImages(bundle.train.images[:64], bundle.train.labels[:64], Augmentation(shift=2))
    assert moving.augmented and not bundle.train.augmented
    few = data.DataBundle("few", moving, moving, moving, bundle.class_names, bundle.input_shape, (0.0,), (1.0,))
    first, second = few.train_loader(64), few.train_loader(64)
    second.sampler.set_epoch(1)
    (one, labels), (two, _), (again, _) = next(iter(first)), next(iter(second)), next(iter(few.train_loader(64)))
    assert torch.equal(one, again) and not torch.equal(one, two)
    assert torch.equal(next(iter(few.val_loader(64)))[0], moving.images)
    order = torch.tensor(next(iter(first.sampler)).images)
    assert torch.equal(labels, moving.labels[order])
    for image, source in zip(one, moving.images[order], strict=True):
        padded = torch.nn.functional.pad(source[None], (2,) * 4, mode="reflect")[0]
        crops = [padded[:, y : y + 32, x : x + 32] for y in range(5) for x in range(5)]
        assert any(torch.equal(image, c) or torch.equal(image, c.flip(2)) for c in crops)


def test_images_and_labels_must_fit():
    with pytest.raises(InputError, match=r"labels \[N\], but they are \[4, 1, 2, 2\] and \[3\]"):
        data.TensorImages(torch.zeros(4, 1, 2, 2), torch.zeros(3))
    some, none = (data.TensorImages(torch.zeros(count, 1, 2, 2), torch.zeros(count)) for count in (2, 0))
    with pytest.raises(InputError, match="the data set few has no images in its test split"):
        data.DataBundle("few", some, some, none, ("a",), (1, 2, 2), (0.0,), (1.0,))
    larger = Preprocess.covering((1, 4, 4), (0.0,), (1.0,))
    with pytest.raises(InputError, match=r"has images \[1, 2, 2\], but its preprocess makes \[1, 4, 4\] of a picture"):
        data.DataBundle("few", some, some, some, ("a",), (1, 2, 2), (0.0,), (1.0,), preprocess=larger)


def test_each_class_has_a_weight_above_zero(bundle):
    weighted = replace(bundle, class_weights=(2.0,) * 10)
    assert weighted.digest != bundle.digest and weighted.on(torch.device("cpu")) is weighted
    for weights in ((1.0,) * 9, (0.0,) * 10, (float("nan"),) * 10):
        with pytest.raises(InputError, match="digits: expected a finite weight above zero for each of its 10 classes"):
            replace(bundle, class_weights=weights)


def test_splits_in_memory_move_to_a_device_and_others_stay(bundle):
    mixed = replace(bundle, val=subset(bundle.val, 5), class_weights=(2.0,) * 10)
    moved = mixed.on(torch.device("meta"))
    assert moved.train.images.device.type == "meta" and moved.test.labels.device.type == "meta"
    assert moved.val is mixed.val and moved.class_weights == mixed.class_weights
    images, labels = next(iter(moved.train_loader(8)))
    assert (images.device.type, labels.device.type) == ("meta", "meta") and images.shape == (8, 3, 32, 32)
