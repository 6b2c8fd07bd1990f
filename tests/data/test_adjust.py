"""Another normalization and augmentation than the data set's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from b2nn_tvm import data
from b2nn_tvm.data.adjust import adjusted
from b2nn_tvm.data.batches import BatchIndex
from b2nn_tvm.data.pixels import PixelImages
from b2nn_tvm.data.subset import subset
from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess import Preprocess

MEAN, STD = (0.5, 0.25, 0.125), (0.5, 0.25, 0.125)


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 3, 16, 24), np.uint8))


@pytest.fixture(params=["files", "floats", "bytes"])
def bundle(request: pytest.FixtureRequest, pixels: torch.Tensor, tmp_path: Path) -> data.DataBundle:
    labels = torch.tensor([0, 1] * 3)
    if request.param == "files":
        for split in ("train", "val", "test"):
            for number, image in enumerate(pixels):
                folder = tmp_path / split / str(number % 2)
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{number}.png")
        return replace(data.folder(tmp_path), workers=0)
    split = PixelImages(pixels, labels, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    if request.param == "floats":
        split = data.TensorImages(split.images, labels)
    return data.DataBundle("mine", split, split, split, ("0", "1"), (3, 16, 24), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


def test_images_get_the_new_mean_and_std(bundle: data.DataBundle, pixels: torch.Tensor) -> None:
    other = adjusted(bundle, mean=MEAN, std=STD)
    assert (other.mean, other.std) == (MEAN, STD) and other.digest != bundle.digest
    for loader in (other.fit_loader(), other.val_loader(), other.test_loader()):
        images = next(iter(loader))[0] * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]
        order = [0, 2, 4, 1, 3, 5] if isinstance(bundle.train, data.folder_images.FolderImages) else list(range(6))
        assert torch.allclose(images * 255, pixels[order].float(), atol=1e-3)
    assert adjusted(bundle, mean=[0.5]).mean == (0.5, 0.5, 0.5) and adjusted(bundle) is bundle


def test_training_images_alone_are_augmented(bundle: data.DataBundle) -> None:
    crops, plain = adjusted(bundle, augment="flip-crop"), adjusted(bundle, augment="none")
    assert crops.train.augmented and not plain.train.augmented
    assert not crops.val.augmented and not crops.test.augmented
    first = lambda loader: next(iter(loader))[0]
    assert not torch.equal(first(crops.train_loader(6)), first(plain.train_loader(6)))
    assert torch.equal(first(crops.test_loader()), first(bundle.test_loader()))


def test_each_way_to_augment_is_another(bundle: data.DataBundle) -> None:
    """RandAugment's operations come on top of the set's own way; floats become bytes for it."""
    words = ("none", "flip-crop", "random-resized", "randaugment")
    pictures = replace(bundle, preprocess=Preprocess.covering(bundle.input_shape, bundle.mean, bundle.std))
    made = [adjusted(pictures, augment=word).train for word in words]
    batches = [split[BatchIndex((0, 3, 5), 1)][0] for split in made]
    assert len({batch.numpy().tobytes() for batch in batches}) == len(words)
    assert all(batch.shape == (3, 3, 16, 24) and bool(batch.isfinite().all()) for batch in batches)
    assert [split.augment.operations for split in made] == [0, 0, 0, 2]
    assert made[1].augment.shift == 2 and made[2].augment.least_area == 0.35
    own = adjusted(adjusted(pictures, augment="random-resized"), augment="randaugment").train.augment
    assert (own.least_area, own.operations) == (0.35, 2)


def test_randaugment_needs_to_know_what_is_white(bundle: data.DataBundle) -> None:
    if isinstance(bundle.train, data.TensorImages):
        with pytest.raises(InputError, match="not known what is white"):
            adjusted(bundle, augment="randaugment")


def test_classes_get_other_names_and_weights(bundle: data.DataBundle, tmp_path: Path) -> None:
    named = adjusted(bundle, class_names=["ant", "bee"], class_weights="balanced")
    assert named.class_names == ("ant", "bee") and named.class_weights == (1.0, 1.0)
    (tmp_path / "weights.json").write_text('{"bee": 3, "ant": 0.5}')
    assert adjusted(named, class_weights=str(tmp_path / "weights.json")).class_weights == (0.5, 3.0)
    with pytest.raises(InputError, match="a name for each of the 2 classes, but got 1"):
        adjusted(bundle, class_names=["ant"])


def test_numbers_that_do_not_fit_are_refused(bundle: data.DataBundle) -> None:
    for options, message in (
        ({"mean": (0.5, 0.5)}, "mean: expected 3 numbers with commas between, one per channel, .* but got 0.5,0.5"),
        ({"std": (0.5, 0.5, 0)}, "std: expected numbers above zero, but got 0.5,0.5,0"),
        ({"mean": [float("nan")]}, "mean: expected 3 numbers"),
        (
            {"augment": "mixup"},
            "unknown augmentation 'mixup'; choose one of none, flip-crop, random-resized, randaugment",
        ),
    ):
        with pytest.raises(InputError, match=message):
            adjusted(bundle, **options)


def test_splits_of_another_kind_decide_for_themselves(bundle: data.DataBundle) -> None:
    own = replace(bundle, train=subset(bundle.train, 3))
    with pytest.raises(InputError, match="reads its images by Subset, which decides itself"):
        adjusted(own, augment="none")
