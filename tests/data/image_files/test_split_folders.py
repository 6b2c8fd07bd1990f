"""The folders of the splits under the names that people give them."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2nn_tvm.data.image_files.split_folders import is_folder, only_train, root_of, split_folders
from b2nn_tvm.errors import InputError


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize(
    "names",
    [
        *({"train": "train", "val": "val"}, {"train": "Train", "val": "VALID"}, {"train": "training", "val": "dev"}),
        *({"train": "TRAIN", "test": "Test"}, {"train": "train", "val": "Validation", "test": "testing"}),
        {"train": "training_set", "test": "Test Set"},
        {"train": "train2017", "val": "val_2017", "test": "test-2015"},
        {"train": "trainset", "val": "valset", "test": "testset"},
        {"train": "seg_train", "test": "seg_test"},
        {"train": "Train Images", "val": "validation-data", "test": "holdout"},
        {"train": "dataset_train", "val": "eval"},
    ],
)
def test_splits_have_many_names(tmp_path: Path, names: dict[str, str]) -> None:
    tree(tmp_path, *(f"{name}/cat/0.png" for name in names.values()), "notes/cat/0.png")
    assert is_folder(tmp_path)
    assert {split: folder.name for split, folder in split_folders(tmp_path).items()} == names


def test_a_test_folder_without_classes_is_no_split(tmp_path: Path) -> None:
    assert set(split_folders(tree(tmp_path, "train/a/0.png", "val/a/0.png", "test/0.png"))) == {"train", "val"}


def test_a_split_in_a_folder_of_its_own_name_is_found(tmp_path: Path) -> None:
    tree(tmp_path, "seg_train/seg_train/a/0.png", "seg_test/seg_test/a/0.png", "seg_pred/seg_pred/0.png")
    assert split_folders(tmp_path) == {
        "train": tmp_path / "seg_train" / "seg_train",
        "test": tmp_path / "seg_test" / "seg_test",
    }


def test_train_alone_is_no_set_of_splits(tmp_path: Path) -> None:
    tree(tmp_path, "pets/train/a/0.png")
    assert only_train(tmp_path) == tmp_path / "pets" / "train" and not is_folder(tmp_path)
    tree(tmp_path, "pets/val/a/0.png")
    assert only_train(tmp_path) is None and is_folder(tmp_path)
    assert only_train(tmp_path / "nowhere") is None


def test_two_folders_of_one_split_are_refused(tmp_path: Path) -> None:
    tree(tmp_path, "train/a/0.png", "val/a/0.png", "valid/a/0.png")
    with pytest.raises(InputError, match="val and valid both mean the val split; remove one"):
        split_folders(tmp_path)


@pytest.mark.parametrize("inside", ["pets", "pets/pets"])
def test_a_folder_in_a_folder_is_found(tmp_path: Path, inside: str) -> None:
    tree(tmp_path, f"{inside}/train/a/0.png", f"{inside}/test/a/0.png", "__MACOSX/pets/._train", ".DS_Store")
    assert root_of(tmp_path) == tmp_path / inside and is_folder(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ["train/1.png", "airplane/2.png"],  # TU-Berlin's sketches of trains
        ["cat/0.png", "dog/0.png"],
        ["a/train/c/0.png", "b/train/c/0.png"],
        ["train1/c/0.png", "val1/c/0.png"],
        ["pets/train/c/0.png", "readme.txt"],
        ["file"],
    ],
)
def test_what_holds_no_splits(tmp_path: Path, names: list[str]) -> None:
    assert not is_folder(tree(tmp_path, *names)) and root_of(tmp_path) == tmp_path


def test_splits_without_classes_are_splits_all_the_same(tmp_path: Path) -> None:
    assert is_folder(tree(tmp_path, "train/0.png", "val/0.png"))
    assert not is_folder(tmp_path / "train" / "0.png")
