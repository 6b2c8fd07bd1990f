"""A folder per class without splits, as the sketches of TU-Berlin come (Eitz et al., SIGGRAPH 2012): <class>/*.png.

These are 250 classes of 80 sketches, black on white, 1111x1111. They become gray images with the lines at 1 and the
paper at 0, the value with which convolutions pad.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from b2nn_tvm.data.augment.augmentation import Augmentation
from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.data.folder_images import Listing, View, bundle_of
from b2nn_tvm.data.image_files.class_samples import class_samples
from b2nn_tvm.data.image_files.decode_image import decode
from b2nn_tvm.data.image_files.scan_classes import refuse_one_class, scan
from b2nn_tvm.data.skip_bad import skip_bad_files
from b2nn_tvm.data.split import stratified_split
from b2nn_tvm.errors import InputError
from b2nn_tvm.progress import Progress, silent

FOLDS = 3  # two folds to train on and one to test, as Eitz et al. and Yu et al. (Sketch-a-Net, BMVC 2015) have it
MEAN, STD = (1.0,), (-1.0,)  # this normalization swaps black and white
PAPER = 240  # and lighter: of a scan, and of a lossy file
# Crops for training as in Sketch-a-Net, section 3.1: 225 of 256 pixels.
CROPPED = Augmentation(least_area=(225 / 256) ** 2)


def is_sketches(path: Path) -> bool:
    """Whether the folders in ``path`` hold images, and those looked at are gray and mostly white, as paper is."""
    return path.is_dir() and bool(looked_at := class_samples(path)) and all(map(_is_sketch, looked_at))


def _is_sketch(path: Path) -> bool:
    red, green, blue = np.moveaxis(np.asarray(decode(path, "RGB")), 2, 0)
    return bool((red == green).all() and (red == blue).all() and np.median(red) >= PAPER)


def sketches(
    path: str | os.PathLike[str],
    *,
    size: int = 225,
    fold: int = 0,
    workers: int | None = None,
    skip_bad: int = 0,
    progress: Progress = silent,
) -> DataBundle:
    """Read <class>/ under ``path`` as images [1, size, size]; needs Pillow. Classes are the sorted folder names.

    Each class is dealt into three folds, the same on every machine: the fold ``fold`` is the test split, and a tenth of
    the other two is held out for validation. Up to ``skip_bad`` files that cannot be decoded are left out; the bundle's
    notes say what was. Raises InputError where there are no images, one class alone, where the images have
    colors, and for another fold than 0 to 2.
    """
    root = Path(path)
    if not root.is_dir() or fold not in range(FOLDS):
        raise InputError(f"{root}: expected a folder with a folder per class, and a fold from 0 to 2, not {fold}")
    notes: list[str] = []
    found = scan(root, note=notes.append)
    classes = {name: files for name, files in found.items() if files}
    if len(classes) < len(found):
        notes.append(f"{root}: classes without images are left out: {', '.join(sorted(set(found) - set(classes))[:8])}")
    listing = skip_bad_files(
        {"all": Listing.of(classes, tuple(classes))}, skip_bad, note=notes.append, progress=progress
    )["all"]
    _refuse_colors(listing.files[0])
    refuse_one_class(root, tuple(classes))
    third = len(listing.files) // FOLDS
    folds = stratified_split(np.array(listing.labels), (third,) * (FOLDS - 1))
    test = folds[fold]
    rest = listing.part(np.setdiff1d(np.arange(len(listing.files)), test))
    held, train = stratified_split(np.array(rest.labels), (max(1, len(rest.labels) // 10),))
    listed = {"train": rest.part(train), "val": rest.part(held), "test": listing.part(test)}
    view, names = View(size, MEAN, STD, center=1.0), tuple(classes)
    return bundle_of(root, listed, class_names=names, view=view, workers=workers, notes=notes, augment=CROPPED)


def _refuse_colors(path: Path) -> None:
    red, green, blue = np.moveaxis(np.asarray(decode(path, "RGB")), 2, 0)
    if (red != green).any() or (red != blue).any():
        raise InputError(
            f"{path}: expected gray sketches where class folders are not in train/ and val/, but this one has colors; "
            "sort photos into train/<class>/ and val/<class>/"
        )
