"""A few images of a folder with a folder per class, to see of what kind they are before anything is read."""

from __future__ import annotations

from pathlib import Path

from b2nn_tvm.data.image_files.decode_image import SUFFIXES, check
from b2nn_tvm.data.image_files.scan_classes import folders, is_junk
from b2nn_tvm.errors import InputError

MOST = 16


def class_samples(path: Path) -> list[Path]:
    """One readable image of each of up to 16 folders in ``path``, evenly spread; none where there are no images."""
    classes = folders(path)
    found = (_first(folder) for folder in classes[:: max(1, len(classes) // MOST)])
    return [file for file in found if file is not None][:MOST]


def has_class_images(path: Path) -> bool:
    """Whether a folder in ``path`` has a file in it that is an image by its name."""
    return path.is_dir() and any(_images(folder) for folder in folders(path))


def _first(folder: Path) -> Path | None:
    for file in _images(folder)[:MOST]:
        try:
            check(file)
        except InputError:
            continue  # it is told when the data set is read
        return file
    return None


def _images(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and not is_junk(file.name))
