"""Tiny-ImageNet-200 (Stanford CS231n): 64x64 JPEGs of 200 ImageNet classes, in its own layout.

wnids.txt, words.txt, train/<wnid>/images/*.JPEG, and val/images/*.JPEG with the class of each in
val/val_annotations.txt (tab separated: file, wnid, x, y, width, height). The images of test/ have no labels.
"""

from __future__ import annotations

import os
from pathlib import Path

from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.data.folder_images import Listing, View, bundle_of
from b2nn_tvm.data.image_files.decode_image import SUFFIXES
from b2nn_tvm.data.image_files.scan_classes import is_junk, scan
from b2nn_tvm.data.skip_bad import skip_bad_files
from b2nn_tvm.errors import InputError
from b2nn_tvm.progress import Progress, silent
from b2nn_tvm.words.number_of import number_of


def is_tiny_imagenet(path: Path) -> bool:
    """Whether the folder ``path`` has wnids.txt, or the annotations of the validation images."""
    return (path / "wnids.txt").is_file() or (path / "val" / "val_annotations.txt").is_file()


def tiny_imagenet(
    path: str | os.PathLike[str],
    *,
    size: int = 64,
    workers: int | None = None,
    skip_bad: int = 0,
    progress: Progress = silent,
) -> DataBundle:
    """Read the folder as images [3, size, size]; classes are the sorted wnids. Needs Pillow.

    val/ is the test split, and a tenth of the training images is held out for validation. Gray images become RGB.
    Up to ``skip_bad`` files that cannot be decoded are left out; the bundle's notes say what was. Raises InputError
    where files or images are missing, or the annotations do not fit the images.
    """
    root = Path(path)
    wnids = sorted(set(_lines(root / "wnids.txt")))
    notes: list[str] = []
    folders = scan(_folder(root / "train"), note=notes.append)
    missing = [wnid for wnid in wnids if not folders.get(wnid)]
    if missing:
        raise InputError(f"{root / 'train'}: lacks classes of wnids.txt: {', '.join(missing[:8])}")
    listed = {
        "train": Listing.of({wnid: folders[wnid] for wnid in wnids}, wnids),
        "val": Listing.of(_validation(root / "val", wnids), wnids),
    }
    listed = skip_bad_files(listed, skip_bad, note=notes.append, progress=progress)
    view = View(size, center=1.0)  # the images are small crops already
    return bundle_of(root, listed, class_names=_names(root, wnids), view=view, workers=workers, notes=notes)


def _validation(val: Path, wnids: list[str]) -> dict[str, list[Path]]:
    """Wnid -> files, as the annotations say; the names in them are looked up among the files of the folder."""
    annotations = val / "val_annotations.txt"
    images = _folder(val / "images")
    inside = images.resolve()
    files = [entry for entry in images.iterdir() if entry.suffix.lower() in SUFFIXES and not is_junk(entry.name)]
    present = {file.name: file for file in files if file.resolve().parent == inside}  # no links that lead out
    classes: dict[str, list[Path]] = {wnid: [] for wnid in wnids}
    for number, line in enumerate(_lines(annotations), 1):
        where = f"{annotations}, line {number}"
        name, wnid = [*line.split("\t"), ""][:2]
        if wnid not in classes:
            raise InputError(f"{where}: expected a file, a tab and a class of wnids.txt, but it is {line[:80]!r}")
        if name not in present:
            raise InputError(f"{where}: names {name!r}, which is no file in {images} (or named by a line before)")
        classes[wnid].append(present.pop(name))
    if present:
        raise InputError(f"{annotations}: says nothing of {number_of(len(present), 'image')}, such as {min(present)}")
    return classes


def _names(root: Path, wnids: list[str]) -> tuple[str, ...]:
    """The names of the classes: each wnid, with the first of its words where words.txt has it."""
    words = dict(line.split("\t", 1) for line in _lines(root / "words.txt") if "\t" in line)
    return tuple(f"{wnid} {words.get(wnid, '').partition(',')[0]}".rstrip() for wnid in wnids)


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected this file of Tiny-ImageNet, but it cannot be read: {error}") from None
    return [line for line in lines if line.strip()]


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; expected it in Tiny-ImageNet")
    return path
