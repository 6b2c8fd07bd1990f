"""The picture that goes with a library: its preprocess makes of it what evaluation sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from b2nn_tvm import data
from b2nn_tvm.data.example_picture import example_picture
from b2nn_tvm.data.subset import subset
from b2nn_tvm.preprocess import Preprocess


def photos(root: Path) -> data.DataBundle:
    source = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in ("cat", "dog"):
            (root / split / name).mkdir(parents=True)
            for number in range(3):
                pixels = source.integers(0, 256, (40 + number, 60, 3), np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{number}.png")
    return data.folder(root, size=16, workers=0)


@pytest.mark.parametrize("name", ["photos", "shapes", "inverted"])
def test_its_input_is_that_of_the_first_test_image(tmp_path, name):
    bundle = photos(tmp_path) if name == "photos" else data.shapes(images=(20, 20, 20))
    if name == "inverted":
        pixels = data.PixelImages(bundle.test.pixels.flip(1), bundle.test.labels, bundle.mean, bundle.std)
        bundle = replace(bundle, test=pixels, preprocess=replace(bundle.preprocess, channels="bgr"))
    images, labels = next(iter(bundle.test_loader()))
    picture, label = example_picture(bundle)
    assert label == bundle.class_names[labels[0]]
    assert np.array_equal(bundle.preprocess(picture)[0], images[0])
    if name == "photos":
        assert picture.size == (27, 18)  # 60 x 40 before the crop of 16 x 16


def test_of_a_subset_it_is_the_first_of_that(tmp_path):
    bundle = photos(tmp_path)
    few = replace(bundle, test=subset(bundle.test, 2, seed=3))
    images, labels = next(iter(few.test_loader()))
    picture, label = example_picture(few)
    assert label == few.class_names[labels[0]] and np.array_equal(few.preprocess(picture)[0], images[0])


def test_where_nothing_is_known_of_pictures_there_is_none():
    bundle = data.shapes(images=(20, 20, 20))
    assert example_picture(replace(bundle, preprocess=None)) is None
    cropped = replace(bundle.preprocess, resize=replace(bundle.preprocess.resize, height=40, width=40))
    assert example_picture(replace(bundle, preprocess=cropped)) is None


def test_gray_pictures_are_gray():
    bundle = data.shapes(images=(20, 20, 20))
    gray = data.PixelImages(bundle.test.pixels[:, :1], bundle.test.labels, (0.5,), (0.25,))
    preprocess = Preprocess.covering((1, 32, 32), (0.5,), (0.25,))
    picture, _ = example_picture(replace(bundle, test=gray, input_shape=(1, 32, 32), preprocess=preprocess))
    assert picture.mode == "L" and np.array_equal(preprocess(picture)[0], gray.images[0])
