"""A folder per class, as ImageNet is stored: train/<class>/*.jpg, val/<class>/*.jpg, maybe test/<class>/."""

from __future__ import annotations

import os
from pathlib import Path

from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.data.folder_images import SUFFIXES, Listing, View, bundle_of
from b2nn_tvm.errors import InputError


def is_folder(path: Path) -> bool:
    """Whether the folder ``path`` contains a folder train/ or val/."""
    return any((path / split).is_dir() for split in ("train", "val"))


def folder(path: str | os.PathLike[str], *, size: int = 224, workers: int | None = None) -> DataBundle:
    """Read train/<class>/ and val/<class>/ under ``path`` as images [3, size, size]; needs Pillow.

    Classes are the sorted folder names. Where there is no test/<class>/, val/ is the test split, and a tenth of the
    training images is held out for validation. Raises InputError where folders or images are missing, or the splits'
    classes differ.
    """
    root = Path(path)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected a data set with train/<class>/ and val/<class>/ in it")
    found = {split: scan(root / split) for split in ("train", "val") if (root / split).is_dir()}
    if set(found) != {"train", "val"}:
        inside = ", ".join(sorted(entry.name for entry in root.iterdir())[:8]) or "nothing"
        raise InputError(f"{root}: expected the folders train/<class>/ and val/<class>/, but it holds {inside}")
    if any(entry.is_dir() for entry in root.glob("test/*")):  # ImageNet's own test/ has images without labels
        found["test"] = scan(root / "test")
    names = tuple(found["train"])
    for split, classes in found.items():
        strangers = sorted(set(classes) - set(names))
        if strangers:
            raise InputError(f"{root / split}: has classes that {root / 'train'} lacks: {', '.join(strangers[:8])}")
    listed = {split: Listing.of(classes, names) for split, classes in found.items()}
    return bundle_of(root, listed, class_names=names, view=View(size), workers=workers)


def scan(split: Path) -> dict[str, tuple[Path, ...]]:
    """Class name -> image files, both sorted; the files of a class may lie in folders below the folder of the class."""
    classes = sorted(entry for entry in split.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    images = {
        entry.name: tuple(sorted(file for file in entry.rglob("*") if file.suffix.lower() in SUFFIXES))
        for entry in classes
    }
    if not images:
        raise InputError(f"{split}: expected one folder per class in it, but there is none")
    empty = [name for name, files in images.items() if not files]
    if empty:
        raise InputError(f"{split / empty[0]}: no images; expected files ending in {', '.join(SUFFIXES)}")
    return images
