import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from b2nn_tvm import data
from b2nn_tvm.data.split import stratified_split
from b2nn_tvm.errors import InputError


@pytest.fixture(scope="module")
def bundle():
    return data.get("digits")


def test_shapes_and_classes(bundle):
    assert (len(bundle.train), len(bundle.val), len(bundle.test)) == (1077, 360, 360)
    assert bundle.input_shape == (3, 32, 32) and bundle.classes == 10 and bundle.name == "digits"
    for split in (bundle.train, bundle.val, bundle.test):
        assert split.images.shape[1:] == bundle.input_shape and split.images.dtype == torch.float32
        assert split.labels.dtype == torch.int64 and set(split.labels.tolist()) == set(range(10))


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


def test_loaders(bundle):
    loader = bundle.train_loader(100, seed=1)
    images, labels = next(iter(loader))
    assert images.shape == (100, 3, 32, 32) and labels.shape == (100,) and len(loader) == 10
    assert torch.equal(images, next(iter(bundle.train_loader(100, seed=1)))[0])
    assert torch.equal(torch.cat([labels for _, labels in bundle.val_loader(100)]), bundle.val.labels)
    assert torch.equal(torch.cat([images for images, _ in bundle.test_loader()]), bundle.test.images)
    assert torch.equal(torch.cat([images for images, _ in bundle.fit_loader()]), bundle.train.images)


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
    moving = data.TensorImages(bundle.train.images[:64], bundle.train.labels[:64], shift=2)
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


def test_splits_take_all_classes_at_the_same_pace():
    labels = np.repeat([0, 1, 2], [60, 30, 9])
    first, second, rest = stratified_split(labels, (33, 11))
    assert sorted([*first, *second, *rest]) == list(range(99))
    assert np.bincount(labels[first]).tolist() == [20, 10, 3]
    with pytest.raises(InputError, match="leave some"):
        stratified_split(labels, (99,))


def test_an_unknown_name_lists_the_choices():
    with pytest.raises(InputError, match="'imagenet'.*digits.*folder.*npz"):
        data.get("imagenet")
