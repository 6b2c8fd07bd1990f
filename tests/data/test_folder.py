import itertools
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from b2nn_tvm import data
from b2nn_tvm.data.folder_images import MEAN, STD
from b2nn_tvm.errors import InputError

COLORS = {"cat": (200, 10, 10), "dog": (10, 200, 10), "owl": (10, 10, 200)}


@pytest.fixture
def root(tmp_path):
    """12 training and 2 validation images per class, each of one color, of different sizes."""
    for split, count in (("train", 12), ("val", 2)):
        for name, color in COLORS.items():
            folder = tmp_path / "pets" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                suffix = "png" if number % 2 else "JPEG"
                Image.new("RGB", (20 + number, 30), color).save(folder / f"{number:02}.{suffix}")
    return tmp_path / "pets"


def test_images_get_their_folders_class(root):
    bundle = data.get(str(root), size=16)
    assert bundle.class_names == ("cat", "dog", "owl") and bundle.input_shape == (3, 16, 16) and bundle.name == "pets"
    bundle = data.folder(root, size=16, workers=0)
    images, labels = next(iter(bundle.test_loader()))
    assert images.shape == (6, 3, 16, 16) and labels.tolist() == [0, 0, 1, 1, 2, 2]
    colors = (images.mean(dim=(2, 3)) * torch.tensor(STD) + torch.tensor(MEAN)) * 255
    assert torch.allclose(colors, torch.tensor([COLORS[name] for name in bundle.class_names]).float()[labels], atol=4)


def test_without_a_test_folder_validation_is_held_out_of_training(root):
    bundle = data.folder(root, size=16, workers=0)
    train, val, test = (set(split.files) for split in (bundle.train, bundle.val, bundle.test))
    assert not train & val and not (train | val) & test
    assert len(train | val) == 36 and {file.parent.parent.name for file in test} == {"val"}


def test_with_a_test_folder_each_split_is_its_folder(root):
    (root / "train").rename(root / "test")
    (root / "val").rename(root / "train")
    (root / "test" / "cat").parent.joinpath("x").mkdir()
    (root / "test" / "x").rmdir()
    for name in COLORS:
        (root / "val" / name).mkdir(parents=True)
        Image.new("L", (9, 9), 128).save(root / "val" / name / "gray.png")  # gray images become RGB
    bundle = data.folder(root, size=8, workers=0)
    assert [len(split) for split in (bundle.train, bundle.val, bundle.test)] == [6, 3, 36]
    assert next(iter(bundle.val_loader()))[0].shape == (3, 3, 8, 8)


def test_imagenets_classes_are_the_sorted_wnids_and_its_test_images_have_none(tmp_path):
    for wnid, level in (("n02123045", 200), ("n01440764", 20), ("n01773157", 90)):
        for split in ("train", "val"):
            (tmp_path / split / wnid).mkdir(parents=True)
            for number in range(3):
                Image.new("RGB", (12, 9), (level,) * 3).save(tmp_path / split / wnid / f"{wnid}_{number}.JPEG")
    (tmp_path / "test").mkdir()
    Image.new("RGB", (12, 9)).save(tmp_path / "test" / "ILSVRC2012_test_00000001.JPEG")
    bundle = data.folder(tmp_path, size=8, workers=0)
    assert bundle.class_names == ("n01440764", "n01773157", "n02123045")
    images, labels = next(iter(bundle.test_loader()))
    levels = (images.mean(dim=(2, 3)) * torch.tensor(STD) + torch.tensor(MEAN))[:, 0] * 255
    assert torch.allclose(levels, torch.tensor([20.0, 90.0, 200.0])[labels], atol=4) and len(labels) == 9


def test_training_images_are_cropped_anew_and_reproducibly(root):
    source = np.random.default_rng(0)
    for file in (root / "train").rglob("*"):
        if file.is_file():
            Image.fromarray(source.integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(file.with_suffix(".png"))
    bundle = data.folder(root, size=16, workers=0)
    loader, later = bundle.train_loader(8), bundle.train_loader(8)
    later.sampler.set_epoch(1)
    first = next(iter(loader))[0]
    assert torch.equal(first, next(iter(bundle.train_loader(8)))[0])
    assert not torch.equal(first, next(iter(later))[0])
    calm = bundle.calibration(8)[0][0]
    assert torch.equal(calm, bundle.calibration(8)[0][0])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_corrupt_image_is_named_in_one_line(root, workers):
    broken = root / "val" / "dog" / "00.JPEG"
    broken.write_bytes(broken.read_bytes()[:300])
    bundle = data.folder(root, size=16, workers=workers)
    with pytest.raises(InputError) as error:
        list(bundle.test_loader())
    assert str(error.value).startswith(f"{broken}: not a readable image (") and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("Train", "Valid"), (33, 3, 6)),
        (("train", "test"), (33, 3, 6)),
        (("TRAINING", "Testing"), (33, 3, 6)),
    ],
)
def test_splits_of_other_names(root, names, expected):
    for old, new in zip(("train", "val"), names, strict=True):
        (root / old).rename(root / new)
    bundle = data.get(str(root), size=16)
    assert tuple(map(len, (bundle.train, bundle.val, bundle.test))) == expected and bundle.notes == ()
    assert {file.parent.parent.name for file in bundle.test.files} == {names[1]}


def test_what_systems_leave_and_empty_classes_are_noted(root):
    (root / "train" / "cat" / "._00.JPEG").write_bytes(b"\0\5\x16\7")
    (root / "val" / "__MACOSX").mkdir()
    for split in ("train", "val"):
        (root / split / "bee").mkdir()
    for file in (root / "val" / "owl").iterdir():
        file.unlink()
    bundle = data.folder(root, size=16, workers=0)
    assert bundle.class_names == ("cat", "dog", "owl") and len(bundle.test) == 4
    train, val = root / "train", root / "val"
    assert bundle.notes == (
        f"{train}: 1 file or folder of a system or program is ignored: cat/._00.JPEG",
        f"{val}: 1 file or folder of a system or program is ignored: __MACOSX",
        f"{train}: classes without images are left out, and the later ones move up: bee",
        f"{val}: classes without images are left out: bee",
        f"{val}: has no images of owl",
    )


def test_a_set_in_a_folder_of_its_name_is_found_and_noted(root):
    bundle = data.get(str(root.parent), size=16)
    assert bundle.notes == (f"{root.parent}: the data set is in pets",) and len(bundle.test) == 6


@pytest.mark.parametrize("size", [(9, 9), (14, 10)])
def test_images_of_one_size_keep_it(root, size):
    for file in root.rglob("*.*"):
        Image.effect_noise(size, 50).save(file)
    bundle = data.get(str(root))
    assert bundle.input_shape == (3, size[1], size[0])
    assert bundle.notes == (f"all images are {size[0]}x{size[1]}, and are taken in this size",)
    images, _ = next(iter(data.folder(root, workers=0).test_loader()))
    with Image.open(bundle.test.files[1]) as stored:
        pixels = np.asarray(stored.convert("RGB"), np.float32) / 255
    assert np.allclose(images[1].permute(1, 2, 0) * torch.tensor(STD) + torch.tensor(MEAN), pixels, atol=1e-5)
    assert data.get(str(root), size=8).input_shape == (3, 8, 8)


def test_images_of_several_sizes_become_224(root):
    assert data.get(str(root)).input_shape == (3, 224, 224)


def test_bad_files_are_left_out_as_far_as_allowed(root):
    (root / "train" / "dog" / "00.JPEG").write_bytes(b"")
    bundle = data.get(str(root), size=16, skip_bad=1)
    assert len(bundle.train) + len(bundle.val) == 35 and "1 of 42 images cannot be read" in bundle.notes[0]
    (root / "val" / "owl" / "00.JPEG").write_bytes(b"<html>")
    with pytest.raises(InputError, match="2 of 42 images cannot be read, more than the 1"):
        data.get(str(root), size=16, skip_bad=1)


def test_what_is_no_data_set_is_refused(root, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        data.folder(tmp_path / "nowhere")
    (tmp_path / "more").mkdir()
    with pytest.raises(InputError, match="expected the folders train.*it holds more, pets"):
        data.folder(tmp_path)
    (root / "val" / "emu").mkdir()
    (root / "val" / "emu" / "0.heic").touch()
    with pytest.raises(InputError, match="emu: no images, but 1 other file such as 0.heic"):
        data.folder(root)
    Image.new("RGB", (9, 9)).save(root / "val" / "emu" / "0.png")
    with pytest.raises(InputError, match="classes that .*train lacks: emu$"):
        data.folder(root)
    (root / "val" / "emu").rename(root / "val" / "Cat")
    with pytest.raises(InputError, match=r"train lacks: Cat \(Cat is perhaps its cat\)"):
        data.folder(root)


def test_images_of_one_class_are_refused(root):
    for split, name in itertools.product(("train", "val"), ("dog", "owl")):
        shutil.rmtree(root / split / name)
    with pytest.raises(InputError, match="train: expected .* at least two classes, but there is only cat"):
        data.get(str(root))
