"""A folder per class, <class>/*.jpg, without splits or in train/ alone: a fifth of each becomes test, a tenth val."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.data.folder import shown
from b2nn_tvm.data.folder_images import Listing
from b2nn_tvm.data.image_files.class_samples import has_class_images
from b2nn_tvm.data.image_files.scan_classes import refuse_one_class, scan
from b2nn_tvm.data.image_files.split_folders import only_train
from b2nn_tvm.data.skip_bad import skip_bad_files
from b2nn_tvm.data.split import stratified_split
from b2nn_tvm.errors import InputError
from b2nn_tvm.progress import Progress, silent

TEST_SHARE, HELD_SHARE = 5, 10  # one of so many images; held out of what is not test
LEAST_IMAGES = 3  # of a class: one for each split, where the shares allow it


def is_flat_folder(path: Path) -> bool:
    """Whether ``path`` has a folder per class without splits, or has them in train/ alone."""
    return only_train(path) is not None or has_class_images(path)


def flat_folder(
    path: str | os.PathLike[str],
    *,
    size: int | None = None,
    workers: int | None = None,
    skip_bad: int = 0,
    progress: Progress = silent,
) -> DataBundle:
    """Read <class>/ or train/<class>/ under ``path`` as images [3, H, W]; needs Pillow. Classes are the folder names.

    The splits are stratified and the same on every machine: a fifth of the images is the test split, and a tenth of the
    others is held out for validation. ``size``, ``skip_bad`` and ``progress`` are as in ``folder``. Raises InputError
    where there are no images, one class alone, or a class of fewer than three images.
    """
    given = Path(path)
    root = only_train(given) or given
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected a data set with <class>/ in it")
    notes: list[str] = []
    found = scan(root, note=notes.append)
    classes = {name: files for name, files in found.items() if files}
    if len(classes) < len(found):
        notes.append(f"{root}: classes without images are left out: {', '.join(sorted(set(found) - set(classes))[:8])}")
    refuse_one_class(root, tuple(classes))
    listed = split_files(root, classes, skip_bad=skip_bad, progress=progress, notes=notes)
    return shown(given, listed, size=size, class_names=tuple(classes), workers=workers, notes=notes)


def split_files(
    root: Path, classes: Mapping[str, Sequence[Path]], *, skip_bad: int, progress: Progress, notes: list[str]
) -> dict[str, Listing]:
    """The files of all classes in the splits of ``flat_folder``, of which ``notes`` are taken.

    Raises InputError where a class has fewer than three images.
    """
    listing = Listing.of(classes, tuple(classes))
    listing = skip_bad_files({"all": listing}, skip_bad, note=notes.append, progress=progress)["all"]
    counts = np.bincount(listing.labels, minlength=len(classes))
    few = [name for name, count in zip(classes, counts, strict=True) if count < LEAST_IMAGES]
    if few:
        raise InputError(
            f"{root}: expected at least {LEAST_IMAGES} images of each class, to train, to choose and to test with, but"
            f" there are fewer of {', '.join(few[:8])}; add images or remove the class"
        )
    tested = _share(listing, TEST_SHARE)
    test, rest = (listing.part(rows) for rows in stratified_split(np.array(listing.labels), (tested,)))
    held, train = stratified_split(np.array(rest.labels), (_share(rest, HELD_SHARE),))
    listed = {"train": rest.part(train), "val": rest.part(held), "test": test}
    notes.append(
        f"{root}: the images are in no splits, so {len(train)} are to train on, {len(held)} to choose by, and"
        f" {tested} to test with, the same on every machine"
    )
    for split, part in listed.items():
        if lacking := part.lacks(tuple(classes)):
            notes.append(f"{root}: among the {len(part.labels)} images of {split} are none of {', '.join(lacking[:8])}")
    return listed


def _share(listing: Listing, share: int) -> int:
    """One of ``share`` images, but one of each class at least."""
    return max(len(listing.labels) // share, len(set(listing.labels)))
