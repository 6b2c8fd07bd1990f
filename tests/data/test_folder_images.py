"""How files become inputs: crops, gray and color, and files that are no images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from b2nn_tvm.data.augment.augmentation import AS_THEY_ARE, Augmentation
from b2nn_tvm.data.batches import BatchIndex
from b2nn_tvm.data.folder_images import CROPPED, MEAN, STD, FolderImages, Listing, View, bundle_of
from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess.preprocess import Preprocess, Resize
from b2nn_tvm.reference.resample import resample

GRAY = View(4, mean=(0.0,), std=(1.0,), center=1.0)


def png(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def test_evaluation_shows_the_normalized_center(tmp_path):
    """A white square of 4 x 4 in the center of a black image of 8 x 8."""
    pixels = np.zeros((8, 8))
    pixels[2:6, 2:6] = 255
    file = png(tmp_path / "a.png", pixels)
    center = View(4, mean=(0.5,), std=(0.25,), center=0.5)
    images, labels = FolderImages((file,), (3,), center)[BatchIndex((0,))]
    assert torch.equal(images, torch.full((1, 1, 4, 4), 2.0)) and labels.tolist() == [3]
    whole, _ = FolderImages((file,), (3,), GRAY)[BatchIndex((0,))]
    assert whole.mean() == pytest.approx(0.25, abs=0.02)


def test_evaluation_resizes_first_and_crops_then(tmp_path):
    """As most published networks are evaluated: the shorter side becomes 256 / 224 of the input's."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    images, _ = FolderImages((png(tmp_path / "a.png", pixels),), (0,), View(28))[BatchIndex((0,))]
    expected = resample(pixels, 32, 48)[2:30, 10:38]
    scale = lambda values: torch.tensor(values)[:, None, None]
    shown = (images[0] * scale(STD) + scale(MEAN)).permute(1, 2, 0) * 255
    assert np.array_equal(shown.round().numpy(), expected)
    view = View(28)
    assert view.preprocess == Preprocess(Resize("shorter", 32, 32), (28, 28), "rgb", MEAN, STD)
    bundle = bundle_of(
        tmp_path,
        {"train": Listing((tmp_path,) * 20, (0,) * 20), "val": Listing((tmp_path,), (0,))},
        class_names=["one"],
        view=view,
        workers=0,
    )
    assert bundle.preprocess == view.preprocess


def test_only_augmented_splits_crop_and_only_with_a_seed(tmp_path):
    file = png(tmp_path / "a.png", np.arange(400).reshape(20, 20) % 256)
    calm, moving = (FolderImages((file,), (0,), GRAY, augment) for augment in (AS_THEY_ARE, CROPPED))
    look = lambda split, seed: split[BatchIndex((0,), seed)][0]
    assert torch.equal(look(calm, 1), look(moving, None))
    assert torch.equal(look(moving, 1), look(moving, 1)) and not torch.equal(look(moving, 1), look(moving, 2))
    assert (moving.augmented, calm.augmented) == (True, False) and moving.digest != calm.digest


def test_pixels_that_are_kept_are_those_of_the_files(tmp_path):
    """Also after the files are gone; batches with a seed are augmented as pixels in memory are."""
    files = tuple(
        png(tmp_path / f"{n}.png", np.random.default_rng(n).integers(0, 256, (6, 8, 3), np.uint8)) for n in range(4)
    )
    view = View(6, center=1.0, width=8)
    listed = {split: Listing(files, (0, 1, 0, 1)) for split in ("train", "val", "test")}
    moving = Augmentation(shift=1)
    make = lambda keep: bundle_of(
        tmp_path, listed, class_names="ab", view=view, workers=None, augment=moving, keep=keep
    )
    kept, read = make(True), make(False)
    assert kept.workers == 0 and read.workers > 0 and kept.digest == read.digest
    expected = [read.train[BatchIndex((2, 0, 2), seed)][0] for seed in (None, 1)]
    for _ in range(2):
        assert torch.equal(kept.train[BatchIndex((2, 0, 2))][0], expected[0])
        assert torch.equal(kept.train[BatchIndex((2, 0, 2), 1)][0], expected[1])
        for file in (files[0], files[2]):
            file.unlink(missing_ok=True)
    assert not torch.equal(*expected)
    with pytest.raises(InputError, match="0.png: not a readable image"):
        read.train[BatchIndex((0,))]


def test_a_listing_has_the_labels_of_its_names():
    classes = {"dog": [Path("d0"), Path("d1")], "cat": [Path("c0")]}
    listing = Listing.of(classes, ("cat", "dog"))
    assert listing == ((Path("d0"), Path("d1"), Path("c0")), (1, 1, 0))
    assert listing.part(np.array([2, 0])) == ((Path("c0"), Path("d0")), (0, 1))


def test_without_a_test_split_validation_takes_its_place(tmp_path):
    listing = lambda name, count: Listing(tuple(Path(f"{name}{n}") for n in range(count)), (0,) * count)
    listed = {"train": listing("t", 20), "val": listing("v", 3)}
    bundle = bundle_of(tmp_path, listed, class_names=["one"], view=GRAY, workers=0)
    assert bundle.test.files == listed["val"].files and bundle.input_shape == (1, 4, 4)
    assert (len(bundle.train), len(bundle.val)) == (18, 2)
    assert {*bundle.train.files, *bundle.val.files} == set(listed["train"].files)


def test_without_a_validation_split_it_is_held_out(tmp_path):
    listing = lambda name, count: Listing(tuple(Path(f"{name}{n}") for n in range(count)), (0,) * count)
    listed = {"train": listing("t", 20), "test": listing("x", 3)}
    bundle = bundle_of(tmp_path, listed, class_names=["one"], view=GRAY, workers=0, notes=["so"])
    assert bundle.test.files == listed["test"].files and len(bundle.val) == 2 and bundle.notes == ("so",)


def test_a_wide_view_shows_images_of_its_size_as_they_are_and_others_without_distortion(tmp_path):
    pixels = np.arange(12 * 20).reshape(12, 20)
    wide = View(12, mean=(0.0,), std=(1 / 255,), center=1.0, width=20)
    same, tall = png(tmp_path / "a.png", pixels), png(tmp_path / "b.png", np.repeat(pixels, 4, 0))
    images, _ = FolderImages((same, tall), (0, 0), wide)[BatchIndex((0, 1))]
    assert wide.shape == (1, 12, 20) and np.allclose(images[0, 0], pixels)
    assert np.allclose(images[1, 0], np.repeat(pixels, 4, 0)[18:30])
    crop, _ = FolderImages((same,), (0,), wide, CROPPED)[BatchIndex((0,), 3)]
    assert crop.shape == (1, 1, 12, 20) and not torch.equal(crop[0], images[0])


def test_what_is_no_image_is_named_with_the_way_to_skip_it(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(InputError, match=r"a.png: not a readable image .* leave such files out with --skip-bad 1$"):
        FolderImages((tmp_path / "a.png",), (0,), GRAY)[BatchIndex((0,))]
