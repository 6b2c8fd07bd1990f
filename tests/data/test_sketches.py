"""Sketches in TU-Berlin's layout: <class name>/<number>.png, 1111x1111, black on white, no splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from b2nn_tvm import data
from b2nn_tvm.data.sketches import is_sketches
from b2nn_tvm.errors import InputError

CLASSES = ("airplane", "alarm clock", "door handle", "wrist-watch")
SIDE = 1111


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """15 sketches of each class: a line, lower in each; files are numbered through all classes, like the real ones."""
    root = tmp_path_factory.mktemp("tu") / "png"
    for label, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True)
        for number in range(15):
            sketch(100 + 60 * number).save(root / name / f"{15 * label + number + 1}.png", compress_level=1)
    (root / "filelist.txt").write_text("airplane/1.png\n")
    return root


def sketch(top: int) -> Image.Image:
    image = Image.new("L", (SIDE, SIDE), 255)
    ImageDraw.Draw(image).line((0, top, SIDE, top), fill=0, width=10)
    return image


def splits(bundle: data.DataBundle) -> tuple[set[Path], ...]:
    return tuple(set(split.files) for split in (bundle.train, bundle.val, bundle.test))


def test_two_thirds_are_to_train_on(root: Path) -> None:
    bundle = data.get(str(root))
    assert bundle.class_names == CLASSES and bundle.input_shape == (1, 225, 225) and bundle.name == "png"
    for split, count in ((bundle.train, 9), (bundle.val, 1), (bundle.test, 5)):
        assert np.bincount(split.labels).tolist() == [count] * 4
        assert [file.parent.name for file in split.files] == [CLASSES[label] for label in split.labels]


def test_the_folds_share_nothing_and_leave_nothing_out(root: Path) -> None:
    bundles = [data.sketches(root, fold=fold) for fold in range(3)]
    everything = set(root.rglob("*.png"))
    for bundle in bundles:
        train, val, test = splits(bundle)
        assert len(train) + len(val) + len(test) == len(train | val | test) == 60 and train | val | test == everything
    tests = [splits(bundle)[2] for bundle in bundles]
    assert set.union(*tests) == everything and sum(map(len, tests)) == 60
    assert splits(data.sketches(root)) == splits(bundles[0])


def test_lines_are_one_and_paper_is_zero(root: Path) -> None:
    bundle = data.sketches(root, size=256, workers=0)
    images, _ = next(iter(bundle.test_loader()))
    assert images.shape == (20, 1, 256, 256) and (bundle.mean, bundle.std) == ((1.0,), (-1.0,))
    assert images.min() == 0 and 0.95 < images.max() <= 1
    for image, file in zip(images, bundle.test.files, strict=True):
        top = 100 + 60 * ((int(file.stem) - 1) % 15)
        expected = 1 - np.asarray(sketch(top).resize((256, 256), Image.Resampling.BILINEAR), np.float32) / 255
        assert torch.allclose(image[0], torch.from_numpy(expected), atol=1e-6)


def test_training_images_keep_most_of_the_sketch(root: Path) -> None:
    bundle = data.sketches(root, size=64, workers=0)
    loader, calm = bundle.train_loader(36), next(iter(bundle.fit_loader()))[0]
    images, _ = next(iter(loader))
    order = torch.tensor(next(iter(loader.sampler)).images)
    assert not torch.equal(images, calm[order])
    ink = images.mean(dim=(1, 2, 3)) / calm[order].mean(dim=(1, 2, 3))
    assert ((ink > 0.9) & (ink < 1.6)).float().mean() > 0.8  # a line is seldom cut off, and at most so much enlarged


def test_photos_are_no_sketches(root: Path, tmp_path: Path) -> None:
    (tmp_path / "pets" / "a cat").mkdir(parents=True)
    Image.new("RGB", (9, 9), (200, 100, 100)).save(tmp_path / "pets" / "a cat" / "0.jpg")
    assert is_sketches(root) and not is_sketches(tmp_path / "pets") and not is_sketches(tmp_path)
    with pytest.raises(InputError, match="0.jpg: expected gray sketches.*has colors; sort photos into train/<class>/"):
        data.sketches(tmp_path / "pets")
    Image.new("L", (9, 9), 0).save(tmp_path / "pets" / "a cat" / "0.jpg")  # white on black is a photo, too
    assert not is_sketches(tmp_path / "pets")


def test_what_is_missing_is_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a fold from 0 to 2, not 3"):
        data.sketches(root, fold=3)
    with pytest.raises(InputError, match="expected a folder with a folder per class"):
        data.sketches(tmp_path / "nowhere")
    (tmp_path / "few" / "axe").mkdir(parents=True)
    sketch(9).resize((32, 32)).save(tmp_path / "few" / "axe" / "1.png")
    with pytest.raises(InputError, match="at least two classes, but there is only axe"):
        data.get(str(tmp_path / "few"))
    (tmp_path / "few" / "bee").mkdir()
    sketch(9).resize((32, 32)).save(tmp_path / "few" / "bee" / "1.png")
    with pytest.raises(InputError, match="few has no images in its test split"):
        data.get(str(tmp_path / "few"))
    (tmp_path / "few" / "bee" / "1.png").unlink()
    (tmp_path / "few" / "bee" / "1.svg").touch()
    with pytest.raises(
        InputError, match="bee: no images, but 1 other file such as 1.svg; expected files ending in .jpg"
    ):
        data.get(str(tmp_path / "few"))


def test_empty_classes_and_bad_files_are_left_out_with_a_note(tmp_path: Path) -> None:
    write_small(tmp_path)
    (tmp_path / "cup").mkdir()
    (tmp_path / "axe" / "4.png").write_bytes(b"")
    bundle = data.get(str(tmp_path), size=32, skip_bad=1)
    assert bundle.class_names == ("axe", "bee")
    assert sum(map(len, (bundle.train, bundle.val, bundle.test))) == 17
    empty, bad = bundle.notes
    assert empty == f"{tmp_path}: classes without images are left out: cup" and "1 of 18 images cannot be read" in bad


def test_a_truncated_png_is_named(tmp_path: Path) -> None:
    write_small(tmp_path)
    bundle = data.sketches(tmp_path, size=32, workers=0)
    broken = bundle.test.files[1]
    broken.write_bytes(broken.read_bytes()[:90])
    with pytest.raises(InputError, match=rf"^{broken}: not a readable image \("):
        list(bundle.test_loader())


def write_small(root: Path) -> None:
    """9 small sketches of each of two classes."""
    for name in ("axe", "bee"):
        (root / name).mkdir()
        for number in range(9):
            sketch(50 * number).resize((99, 99)).save(root / name / f"{number}.png")
