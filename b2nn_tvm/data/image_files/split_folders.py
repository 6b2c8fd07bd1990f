"""Find the folders of the splits: train/, Training/, val/, valid/, test2017/, seg_train/ and the like, in any case."""

from __future__ import annotations

import re
from pathlib import Path

from b2nn_tvm.data.image_files.scan_classes import folders, is_junk
from b2nn_tvm.errors import InputError

_WORDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validate", "validation", "dev", "eval", "evaluation"),
    "test": ("test", "testing", "holdout"),
}
SPLIT_OF = {word: split for split, words in _WORDS.items() for word in words}
# What else is in the names of such folders, and says nothing.
_NO_MEANING = {"", "images", "image", "imgs", "img", "photos", "seg", "split", "folder"}
_DEEPEST = 2  # archives often hold one folder of the set's name in another one


def root_of(path: Path) -> Path:
    """The folder that holds the splits: ``path`` itself, or the only folder in it, or the only one in that."""
    for _ in range(_DEEPEST):
        if _holds_splits(path):
            break
        inside = folders(path)
        if len(inside) != 1 or any(entry.is_file() and not is_junk(entry.name) for entry in path.iterdir()):
            break
        path = inside[0]
    return path


def is_folder(path: Path) -> bool:
    """Whether ``path`` is a folder of splits, or holds one and nothing else."""
    return path.is_dir() and _holds_splits(root_of(path)) and only_train(path) is None


def only_train(path: Path) -> Path | None:
    """The folder train/ with classes in it where the data set at ``path`` has no other split; None elsewhere."""
    root = root_of(path) if path.is_dir() else path
    if not path.is_dir() or not _holds_splits(root):
        return None
    found = split_folders(root)
    return found["train"] if set(found) == {"train"} and folders(found["train"]) else None


def split_folders(root: Path) -> dict[str, Path]:
    """The folder of each of the splits train, val and test that ``root`` has.

    A folder test/ without folders in it, such as ImageNet's own, has images without labels and is no split. Raises
    InputError where two folders are of the same split.
    """
    found: dict[str, Path] = {}
    for folder in folders(root):
        split, unpacked = _split_of(folder), _unpacked(folder)
        if split is None or (split == "test" and not folders(unpacked)):
            continue
        if split in found:
            raise InputError(f"{root}: {found[split].name} and {folder.name} both mean the {split} split; remove one")
        found[split] = unpacked
    return found


def _holds_splits(path: Path) -> bool:
    """Whether folders have the names of splits, and are no classes that happen to have them, such as trains."""
    inside = folders(path)
    splits = [folder for folder in inside if _split_of(folder)]
    return bool(splits) and (len(splits) == len(inside) or any(folders(folder) for folder in splits))


def _split_of(folder: Path) -> str | None:
    words = re.findall(r"[a-z]+|[0-9]+", folder.name.lower())
    stems = {word.removesuffix("set").removesuffix("data") for word in words if not re.fullmatch(r"(19|20)\d\d", word)}
    named = {SPLIT_OF.get(stem) for stem in stems - _NO_MEANING}
    return named.pop() if len(named) == 1 else None


def _unpacked(folder: Path) -> Path:
    """The folder of the classes where archives hold it in one of the same name: train/train/<class>."""
    while len(inside := folders(folder)) == 1 and inside[0].name.lower() == folder.name.lower():
        folder = inside[0]
    return folder
