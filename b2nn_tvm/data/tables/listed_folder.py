"""A folder of images beside a table that says the class of each, as competitions and museums hand them out."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.data.flat_folder import split_files
from b2nn_tvm.data.folder import shown
from b2nn_tvm.data.folder_images import Listing
from b2nn_tvm.data.image_files.scan_classes import folders, refuse_one_class
from b2nn_tvm.data.image_files.split_folders import SPLIT_OF
from b2nn_tvm.data.skip_bad import skip_bad_files
from b2nn_tvm.data.tables.find_files import FileIndex
from b2nn_tvm.data.tables.read_table import Table, read_table
from b2nn_tvm.errors import InputError
from b2nn_tvm.progress import Progress, silent
from b2nn_tvm.words.number_of import number_of

SUFFIXES = (".csv", ".tsv")
EVERYTHING = ""  # the split of files that are in none


def is_listed_folder(path: Path) -> bool:
    """Whether ``path`` is a table of image files and classes, or a folder with one.

    It is none where the folders of splits hold a folder for each class; and where there are several folders, the table
    has to say that its column is one of classes.
    """
    inside = folders(path) if path.is_dir() else []
    if any(_split(each.name) and folders(each) for each in inside):
        return False
    return any(table.named or len(inside) < 2 for table in _tables(path).values())


def listed_folder(
    path: str | os.PathLike[str],
    *,
    size: int | None = None,
    workers: int | None = None,
    skip_bad: int = 0,
    progress: Progress = silent,
) -> DataBundle:
    """Read the images that the tables in ``path``, or the table ``path``, list with their classes, as [3, H, W].

    Tables called train, val and test are these splits, and so are the words of a column called split; else the images
    are split as those of ``flat_folder``. Classes are the texts of the table in sorted order. ``size``, ``skip_bad``
    and ``progress`` are as in ``folder``. Raises InputError where the tables name no files, one class alone, or a class
    that is not trained on.
    """
    given = Path(path)
    notes: list[str] = []
    parts: dict[str, dict[str, list[Path]]] = {}
    for place, table in _tables(given).items():
        notes.append(f"{place}: the classes of {len(table.files)} images are taken from this table")
        if table.missing:
            one = table.missing == 1
            notes.append(
                f"{place}: {number_of(table.missing, 'row')} {'has' if one else 'have'} no file or no class, and"
                f" {'is' if one else 'are'} left out"
            )
        for file, name, split in zip(table.files, table.classes, table.splits or [place.stem] * len(table.files)):
            parts.setdefault(_split(split), {}).setdefault(name, []).append(file)
    if EVERYTHING in parts or "train" not in parts or len(parts) == 1:
        classes: dict[str, list[Path]] = {}
        for name, files in (each for part in parts.values() for each in part.items()):
            classes.setdefault(name, []).extend(files)
        names = _in_order(classes)
        refuse_one_class(given, names)
        ordered = {name: sorted(set(classes[name])) for name in names}
        listed = split_files(given, ordered, skip_bad=skip_bad, progress=progress, notes=notes)
    else:
        names = _in_order(parts["train"])
        refuse_one_class(given, names)
        listed = skip_bad_files(_listings(given, parts, names), skip_bad, note=notes.append, progress=progress)
    root = given if given.is_dir() else given.with_suffix("")
    return shown(root, listed, size=size, class_names=names, workers=workers, notes=notes)


def _tables(path: Path) -> dict[Path, Table]:
    """The tables of images with classes at ``path``, by their places; others in a folder may be anything."""
    places = [path] if path.is_file() else sorted(path.iterdir()) if path.is_dir() else []
    places = [place for place in places if place.is_file() and place.suffix.lower() in SUFFIXES]
    if not places:
        return {}
    index = FileIndex(path.parent if path.is_file() else path)
    found: dict[Path, Table | None] = {}
    for place in places:
        with contextlib.suppress(*([] if place == path else [InputError])):
            found[place] = read_table(place, index)
    return {place: table for place, table in found.items() if table is not None and table.files}


def _split(word: str) -> str:
    """The split that the name of a table, or a cell, means."""
    return next((SPLIT_OF[part] for part in re.findall("[a-z]+", word.lower()) if part in SPLIT_OF), EVERYTHING)


def _in_order(names: Mapping[str, object] | Sequence[str]) -> tuple[str, ...]:
    """Names in sorted order, numbers by their size."""
    return tuple(sorted(names, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)))


def _listings(
    given: Path, parts: Mapping[str, Mapping[str, Sequence[Path]]], names: Sequence[str]
) -> dict[str, Listing]:
    def listings() -> Iterator[tuple[str, Listing]]:
        for split, classes in parts.items():
            if strangers := sorted(set(classes) - set(names)):
                raise InputError(f"{given}: {split} has classes that train lacks: {', '.join(strangers[:8])}")
            yield split, Listing.of({name: sorted(files) for name, files in classes.items()}, names)

    return dict(listings())
