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
from b2nn_tvm.data.pixels import PixelImages
from b2nn_tvm.data.subset import subset
from b2nn_tvm.errors import InputError

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


def test_numbers_that_do_not_fit_are_refused(bundle: data.DataBundle) -> None:
    for options, message in (
        ({"mean": (0.5, 0.5)}, "mean: expected 3 numbers with commas between, one per channel, .* but got 0.5,0.5"),
        ({"std": (0.5, 0.5, 0)}, "std: expected numbers above zero, but got 0.5,0.5,0"),
        ({"mean": [float("nan")]}, "mean: expected 3 numbers"),
        ({"augment": "mixup"}, "unknown augmentation 'mixup'; choose one of none, flip-crop"),
    ):
        with pytest.raises(InputError, match=message):
            adjusted(bundle, **options)


def test_splits_of_another_kind_decide_for_themselves(bundle: data.DataBundle) -> None:
    own = replace(bundle, train=subset(bundle.train, 3))
    with pytest.raises(InputError, match="reads its images by Subset, which decides itself"):
        adjusted(own, augment="none")
