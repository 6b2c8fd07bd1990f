"""Tiny-ImageNet-200 in its own layout: word lists, boxes beside the images, annotations of a flat val/."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from b2nn_tvm import data
from b2nn_tvm.data.folder_images import MEAN, STD
from b2nn_tvm.errors import InputError

# In wnids.txt's order, which is not the sorted one, and with the words of words.txt.
CLASSES = {
    "n02124075": ("Egyptian cat", 60),
    "n01443537": ("goldfish, Carassius auratus", 120),
    "n04067472": ("reel", 200),
}
SORTED = sorted(CLASSES)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """10 training and 2 validation images per class, each gray; the first of a class is stored in one channel."""
    root = tmp_path / "tiny-imagenet-200"
    root.mkdir()
    (root / "wnids.txt").write_text("".join(f"{wnid}\n" for wnid in CLASSES))
    words = {wnid: words for wnid, (words, _) in CLASSES.items()} | {"n00001740": "entity"}
    (root / "words.txt").write_text("".join(f"{wnid}\t{text}\n" for wnid, text in words.items()))
    (root / "val" / "images").mkdir(parents=True)
    (root / "test" / "images").mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(root / "test" / "images" / "test_0.JPEG")
    annotations = []
    for wnid, (_, level) in CLASSES.items():
        folder = root / "train" / wnid / "images"
        folder.mkdir(parents=True)
        for number in range(10):
            picture(level, gray=number == 0).save(folder / f"{wnid}_{number}.JPEG")
        (folder.parent / f"{wnid}_boxes.txt").write_text(f"{wnid}_0.JPEG\t0\t0\t63\t63\n")
    for number in range(6):
        wnid = list(CLASSES)[number % 3]
        picture(CLASSES[wnid][1], gray=number == 0).save(root / "val" / "images" / f"val_{number}.JPEG")
        annotations.append(f"val_{number}.JPEG\t{wnid}\t0\t32\t44\t62\n")
    (root / "val" / "val_annotations.txt").write_text("".join(annotations))
    return root


def picture(level: int, *, gray: bool) -> Image.Image:
    return Image.new("L", (64, 64), level) if gray else Image.new("RGB", (64, 64), (level,) * 3)


def annotate(root: Path, line: str) -> None:
    with open(root / "val" / "val_annotations.txt", "a") as file:
        file.write(line + "\n")


def test_images_get_the_class_that_the_annotations_say(root: Path) -> None:
    bundle = data.get(str(root))
    assert bundle.input_shape == (3, 64, 64) and bundle.name == "tiny-imagenet-200"
    assert bundle.class_names == ("n01443537 goldfish", "n02124075 Egyptian cat", "n04067472 reel")
    bundle = data.tiny_imagenet(root, workers=0)
    assert [len(split) for split in (bundle.train, bundle.val, bundle.test)] == [27, 3, 6]
    for loader in (bundle.test_loader(), bundle.val_loader(), bundle.fit_loader(), bundle.train_loader(27)):
        images, labels = next(iter(loader))
        levels = (images.mean(dim=(2, 3)) * torch.tensor(STD) + torch.tensor(MEAN)) * 255
        expected = torch.tensor([CLASSES[wnid][1] for wnid in SORTED])[labels].float()
        assert torch.allclose(levels, expected[:, None].expand(-1, 3), atol=3)


def test_evaluation_shows_the_whole_image_and_training_crops(root: Path) -> None:
    """Sharp to the border: nothing is cut off, nothing is resized."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for file in (root / "val" / "images").iterdir():
        Image.fromarray(pixels).save(file, format="PNG")
    bundle = data.tiny_imagenet(root, workers=0)
    images, _ = next(iter(bundle.test_loader()))
    restored = (images[0] * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]) * 255
    assert np.array_equal(restored.round().numpy().transpose(1, 2, 0), pixels)
    assert data.get(str(root), size=32).input_shape == (3, 32, 32)
    assert bundle.train.augmented and not bundle.val.augmented


def test_validation_is_held_out_of_training(root: Path) -> None:
    bundle = data.tiny_imagenet(root)
    train, val, test = (set(split.files) for split in (bundle.train, bundle.val, bundle.test))
    assert train | val == set((root / "train").rglob("*.JPEG")) and not train & val
    assert test == set((root / "val").rglob("*.JPEG"))


def test_words_are_not_needed(root: Path) -> None:
    (root / "words.txt").write_text("n00001740\tentity\n")
    assert data.tiny_imagenet(root).class_names == tuple(SORTED)


@pytest.mark.parametrize(
    "name",
    ["val_9.JPEG", "val_0.JPEG", "../../escaped.JPEG", "images/../../x.JPEG", "{}/escaped.JPEG", "..", ""],
)
def test_annotations_name_only_files_that_are_there_and_each_once(root: Path, name: str) -> None:
    picture(0, gray=True).save(root.parent / "escaped.JPEG")
    annotate(root, f"{name.format(root.parent)}\t{SORTED[0]}\t0\t0\t1\t1")
    with pytest.raises(InputError, match=r"val_annotations.txt, line 7: names '.*', which is no file in"):
        data.get(str(root))


def test_a_link_that_leads_out_is_refused(root: Path) -> None:
    picture(0, gray=True).save(root.parent / "escaped.JPEG")
    os.symlink(root.parent / "escaped.JPEG", root / "val" / "images" / "val_6.JPEG")
    annotate(root, f"val_6.JPEG\t{SORTED[0]}\t0\t0\t1\t1")
    with pytest.raises(InputError, match="line 7: names 'val_6.JPEG', which is no file in"):
        data.get(str(root))


@pytest.mark.parametrize("line", ["val_9.JPEG\tn99999999\t0\t0\t1\t1", "val_9.JPEG", "val_9.JPEG n01443537"])
def test_annotations_of_other_classes_are_refused(root: Path, line: str) -> None:
    annotate(root, line)
    with pytest.raises(InputError, match=r"line 7: expected a file, a tab and a class of wnids.txt, but it is 'val_9"):
        data.get(str(root))


def test_images_without_a_class_are_refused(root: Path) -> None:
    picture(0, gray=True).save(root / "val" / "images" / "val_6.JPEG")
    with pytest.raises(InputError, match="says nothing of 1 image, such as val_6.JPEG"):
        data.get(str(root))


@pytest.mark.parametrize(
    "missing",
    ["wnids.txt", "words.txt", "val/val_annotations.txt", "train", "val/images", "train/n04067472"],
)
def test_what_is_missing_is_named(root: Path, missing: str) -> None:
    (root / missing).rename(root.parent / "elsewhere")
    with pytest.raises(InputError, match=missing.rpartition("/")[2]):
        data.get(str(root))


def test_lists_that_are_no_text_are_refused(root: Path) -> None:
    (root / "wnids.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="wnids.txt: .*cannot be read"):
        data.get(str(root))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_truncated_jpeg_is_named(root: Path, workers: int) -> None:
    broken = root / "val" / "images" / "val_4.JPEG"
    broken.write_bytes(broken.read_bytes()[:400])
    with pytest.raises(InputError, match=rf"^{broken}: not a readable image \("):
        list(data.tiny_imagenet(root, workers=workers).test_loader())
