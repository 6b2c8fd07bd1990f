"""A folder per class, as ImageNet is stored: train/<class>/*.jpg, val/<class>/*.jpg, maybe test/<class>/."""

from __future__ import annotations

import difflib
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from b2nn_tvm.data.augment.augmentation import Augmentation
from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.data.folder_images import CROPPED, Listing, View, bundle_of
from b2nn_tvm.data.image_files.scan_classes import refuse_one_class, scan
from b2nn_tvm.data.image_files.split_folders import root_of, split_folders
from b2nn_tvm.data.image_files.uniform_size import uniform_size
from b2nn_tvm.data.skip_bad import skip_bad_files
from b2nn_tvm.errors import InputError
from b2nn_tvm.progress import Note, Progress, silent

USUAL_SIZE = 224
SMALL = 64  # pixels; a crop of a third of such an image leaves little to see


def folder(
    path: str | os.PathLike[str],
    *,
    size: int | None = None,
    workers: int | None = None,
    skip_bad: int = 0,
    progress: Progress = silent,
) -> DataBundle:
    """Read train/<class>/ and val/<class>/ or test/<class>/ under ``path`` as images [3, H, W]; needs Pillow.

    Folders may have other usual names of the splits, in any case. Images are ``size`` pixels wide and high; without a
    size they are as they are where all have the same size, and else 224. Classes are the sorted folder names of train/;
    empty ones are left out. Where there is only one of val/ and test/, it is the test split, and a tenth of the
    training images is held out for validation. Up to ``skip_bad`` files that cannot be decoded are left out. The
    bundle's notes say what was left out. Raises InputError where folders or images are missing, or the splits' classes
    differ.
    """
    given = Path(path)
    if not given.is_dir():
        raise InputError(f"{given}: no such folder; expected a data set with train/<class>/ and val/<class>/ in it")
    notes: list[str] = []
    root = root_of(given)
    if root != given:
        notes.append(f"{given}: the data set is in {root.relative_to(given)}")
    found = split_folders(root)
    if "train" not in found or len(found) == 1:
        inside = ", ".join(sorted(entry.name for entry in root.iterdir())[:8]) or "nothing"
        raise InputError(
            f"{root}: expected the folders train/<class>/ and val/<class>/, but it holds {inside}; test/<class>/ may"
            " take the place of val"
        )
    classes = {split: scan(place, note=notes.append) for split, place in found.items()}
    names = _class_names(found, classes, notes.append)
    listed = skip_bad_files(_listings(classes, names), skip_bad, note=notes.append, progress=progress)
    return shown(given, listed, size=size, class_names=names, workers=workers, notes=notes)


def _class_names(
    found: Mapping[str, Path], classes: Mapping[str, Mapping[str, Sequence[Path]]], note: Note
) -> tuple[str, ...]:
    """The classes that have training images; raises InputError for one alone, or where another split has others."""
    names = tuple(name for name, files in classes["train"].items() if files)
    refuse_one_class(found["train"], names)
    for split, place in found.items():
        strangers = sorted(name for name, files in classes[split].items() if files and name not in names)
        if strangers:
            close = {name.lower(): name for name in names}
            likely = difflib.get_close_matches(strangers[0].lower(), close, n=1, cutoff=0.8)
            hint = f" ({strangers[0]} is perhaps its {close[likely[0]]})" if likely else ""
            raise InputError(f"{place}: has classes that {found['train']} lacks: {', '.join(strangers[:8])}{hint}")
        lacking = [name for name in names if not classes[split].get(name)]
        empty = [name for name in classes[split] if name not in names]
        if empty:
            moved = ", and the later ones move up" if split == "train" else ""
            note(f"{place}: classes without images are left out{moved}: {', '.join(empty[:8])}")
        if lacking:
            note(f"{place}: has no images of {', '.join(lacking[:8])}")
    return names


def _listings(classes: Mapping[str, Mapping[str, Sequence[Path]]], names: Sequence[str]) -> dict[str, Listing]:
    return {
        split: Listing.of({name: files for name, files in images.items() if name in names}, names)
        for split, images in classes.items()
    }


def shown(
    root: Path,
    listed: Mapping[str, Listing],
    *,
    size: int | None,
    class_names: Sequence[str],
    workers: int | None,
    notes: list[str],
) -> DataBundle:
    """The data set of the files, ``size`` pixels wide and high, else in their own size where they all have one, else
    224.

    Images that are all of one size, and not larger than ``size``, are shown whole. They stay in memory where they are
    shown in their own size; those of up to 64 pixels move by some pixels in training, as CIFAR's do.
    """
    own = uniform_size(itertools.chain.from_iterable(listing.files for listing in listed.values()))
    as_they_are = own is not None and (size is None or own == (size, size))
    augment = CROPPED
    if own is not None and as_they_are:
        if size is None:
            notes.append(f"all images are {own[1]}x{own[0]}, and are taken in this size")
        view = View(own[0], width=own[1], center=1.0)
        augment = Augmentation.moving(*own) if max(own) <= SMALL else CROPPED
    elif own is not None and size is not None and max(own) <= size:
        view = View(size, center=1.0)
    else:
        view = View(USUAL_SIZE if size is None else size)
    return bundle_of(
        root,
        listed,
        class_names=class_names,
        view=view,
        workers=workers,
        notes=notes,
        augment=augment,
        keep=as_they_are,
    )
