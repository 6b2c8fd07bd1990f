"""A table of image files and their classes: which column names the files, and which the classes."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from b2nn_tvm.data.tables.find_files import FileIndex
from b2nn_tvm.errors import InputError

_LABELS = {
    *("label", "labels", "class", "classes", "class_name", "classname", "label_name", "category", "target", "y"),
    *("class_id", "label_id", "species", "breed", "diagnosis"),
}
_SPLITS = {"split", "set", "subset", "phase", "partition"}
_MOST_PROBED = 50
_ENOUGH = 0.9  # of the rows that are probed have a file


@dataclass(frozen=True)
class Table:
    """The rows of a table whose files are there: file, class and, where there is such a column, split.

    ``missing`` counts the rows without a file. The class is ``named`` where its column says that it is one.
    """

    files: tuple[Path, ...]
    classes: tuple[str, ...]
    splits: tuple[str, ...]
    missing: int
    named: bool


def read_table(path: Path, index: FileIndex) -> Table | None:
    """The files and classes in a table of comma-, semicolon- or tab-separated values; None where no column names files
    of ``index``, or none can be told to hold the classes.

    Classes are a column of such a name, the only other column, or a column for each class with a 1 in one of them.
    Raises InputError where the file is no text.
    """
    header, rows = _read(path)
    files = _file_column(header, rows, index)
    if files is None:
        return None
    others = [place for place in range(len(header)) if place != files]
    split = next((place for place in others if header[place].lower() in _SPLITS), None)
    others = [place for place in others if place != split]
    named = [place for place in others if header[place].lower() in _LABELS]
    ones = _single_ones(rows, others)
    if len(named) == 1 or (not named and len(others) == 1):
        (place,) = named or others
        classes = [row[place].strip() for row in rows]
    elif ones:
        classes = [header[place] for place in ones]
    else:
        return None
    found = [
        (index.find(row[files]), name, row[split] if split is not None else "") for row, name in zip(rows, classes)
    ]
    there = [(file, name, part) for file, name, part in found if file is not None and name]
    return Table(
        tuple(file for file, _, _ in there),
        tuple(name for _, name, _ in there),
        tuple(part for _, _, part in there) if split is not None else (),
        len(rows) - len(there),
        bool(named or ones),
    )


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows, which are as long as it is."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = text.split("\n", 1)[0]
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: expected a table of text, but it cannot be read: {error}") from None
    header = [cell.strip() for cell in rows[0]] if rows else []
    return header, [row for row in rows[1:] if len(row) == len(header)]


def _file_column(header: Sequence[str], rows: Sequence[Sequence[str]], index: FileIndex) -> int | None:
    """The column that names files, of several the one with the most names."""
    probed = rows[:_MOST_PROBED]
    fits = [
        place
        for place in range(len(header))
        if probed and sum(index.find(row[place]) is not None for row in probed) >= _ENOUGH * len(probed)
    ]
    return max(fits, key=lambda place: len({row[place] for row in rows}), default=None)


def _single_ones(rows: Sequence[Sequence[str]], places: Sequence[int]) -> list[int]:
    """The column of the 1 in each row; none where they are not columns of zeros with a single 1 in each row."""
    found = []
    for row in rows if len(places) > 1 else ():
        try:
            values = [float(row[place]) for place in places]
        except ValueError:
            return []
        if sorted(values) != [0.0] * (len(places) - 1) + [1.0]:
            return []
        found.append(places[values.index(1.0)])
    return found
