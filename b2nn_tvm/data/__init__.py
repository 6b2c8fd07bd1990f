"""Data sets: a built-in one is loaded by its name, a user's own by its path."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from b2nn_tvm.data.arrays.cifar import cifar, is_cifar
from b2nn_tvm.data.arrays.idx import idx, is_idx
from b2nn_tvm.data.arrays.npz import is_arrays, npz
from b2nn_tvm.data.bundle import DataBundle, TensorImages
from b2nn_tvm.data.digits import digits
from b2nn_tvm.data.flat_folder import flat_folder, is_flat_folder
from b2nn_tvm.data.folder import folder
from b2nn_tvm.data.image_files.decode_image import SUFFIXES
from b2nn_tvm.data.image_files.split_folders import is_folder
from b2nn_tvm.data.pixels import PixelImages
from b2nn_tvm.data.procedural import shapes
from b2nn_tvm.data.resized import resized
from b2nn_tvm.data.sketches import is_sketches, sketches
from b2nn_tvm.data.tables.listed_folder import is_listed_folder, listed_folder
from b2nn_tvm.data.tiny_imagenet import is_tiny_imagenet, tiny_imagenet
from b2nn_tvm.errors import InputError
from b2nn_tvm.progress import Progress, silent

__all__ = [
    "DataBundle",
    "PixelImages",
    "TensorImages",
    "cifar",
    "digits",
    "flat_folder",
    "folder",
    "get",
    "idx",
    "listed_folder",
    "names",
    "npz",
    "shapes",
    "sketches",
    "tiny_imagenet",
]

_BUILT_IN: dict[str, Callable[..., DataBundle]] = {
    "digits": digits,
    "shapes": shapes,
    "shapes64": partial(shapes, size=64),
}

# The loaders of paths, each behind its test. The first loader whose test recognizes a path reads it.
_LAYOUTS: tuple[tuple[Callable[[Path], bool], Callable[..., DataBundle]], ...] = (
    (is_arrays, npz),
    (is_cifar, cifar),
    (is_idx, idx),
    (is_tiny_imagenet, tiny_imagenet),
    (is_listed_folder, listed_folder),
    (is_folder, folder),
    (is_sketches, sketches),
    (is_flat_folder, flat_folder),
)

_ARCHIVE = "this file is an archive: unpack it, and give the folder"
_TABLE = (
    "this file is a table: sort the images into a folder for each class, or give pkg.module:factory of a DataBundle"
)
_OTHERS = {
    **dict.fromkeys((".zip", ".tar", ".7z", ".rar"), _ARCHIVE),
    **dict.fromkeys((".csv", ".tsv", ".json", ".parquet"), _TABLE),
    ".npy": "this file is one array: give its folder, with x_train.npy, y_train.npy, x_test.npy and y_test.npy",
}


def names() -> tuple[str, ...]:
    """The names of the built-in data sets."""
    return tuple(_BUILT_IN)


def get(word: str, *, size: int | None = None, skip_bad: int = 0, progress: Progress = silent) -> DataBundle:
    """The built-in data set that is named ``word``, else the data set at the path ``word``, recognized by its layout.

    ``size`` is the side of the images in pixels; those that are no files are resized. ``skip_bad`` > 0 decodes all
    images of a folder first, which ``progress`` is told of, and leaves out up to that many files that cannot be
    decoded. Raises InputError, with the choices, where ``word`` is neither a name nor the path of a known layout, or
    where no file can be skipped.
    """
    path = Path(os.path.expanduser(word))  # unlike Path.expanduser it leaves the home of a user that there is not
    load = _BUILT_IN.get(word)
    if load is None and (os.path.exists(path) or is_idx(path)):
        load = next((partial(load, path) for fits, load in _LAYOUTS if fits(path)), None)
    if load is None:
        raise InputError(
            f"data {word[:200]!r}: expected one of {', '.join(_BUILT_IN)}; a folder with train/<class>/ and "
            "val/<class>/; CIFAR-100 or CIFAR-10 for Python, as a folder or .tar.gz; Tiny-ImageNet-200's folder with "
            "wnids.txt; a folder of IDX files, as MNIST's; a folder of photos or sketches with <class>/*.png, or beside"
            " a table of their classes; or"
            f" arrays, as an .npz file or a folder of .npy files; {_what(path)}"
        )
    options: dict[str, Any] = {"size": size} if size is not None else {}
    if skip_bad:
        options |= {"skip_bad": skip_bad, "progress": progress}
    taken = inspect.signature(load).parameters
    if "skip_bad" in options and "skip_bad" not in taken:
        raise InputError(f"data {word!r}: its images are not files of their own; leave out the number of bad files")
    if size is not None and "size" not in taken:
        del options["size"]
        return resized(load(**options), size)
    return load(**options)


def _what(path: Path) -> str:
    if os.path.isdir(path):
        if any(entry.suffix.lower() in SUFFIXES for entry in path.iterdir()):
            return "this folder holds images; give the one around it, with a folder of images for each class"
        return f"this folder holds {', '.join(sorted(entry.name for entry in path.iterdir())[:8]) or 'nothing'}"
    if not os.path.exists(path):
        return "there is no such file or folder"
    return _OTHERS.get(path.suffix.lower(), "this file is none of them")
