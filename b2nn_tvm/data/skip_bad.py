"""Leave out single files that are no readable images, where so many are allowed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from b2nn_tvm.data.folder_images import Listing
from b2nn_tvm.data.image_files.bad_files import bad_files
from b2nn_tvm.errors import InputError
from b2nn_tvm.progress import Note, Progress, silent
from b2nn_tvm.words.number_of import number_of


def skip_bad_files(
    listed: Mapping[str, Listing], allowed: int, *, note: Note, progress: Progress = silent
) -> dict[str, Listing]:
    """The listings of all splits without the files that cannot be decoded; all of them are decoded once.

    ``allowed`` 0 leaves the listings as they are: a bad file is then an error when it is needed. ``note`` is told how
    many files are left out. Raises InputError where more than ``allowed`` are bad, or where a class of a split other
    than val and test has none left.
    """
    if allowed == 0:
        return dict(listed)
    files = [file for listing in listed.values() for file in listing.files]
    bad = bad_files(files, progress=progress)
    if len(bad) > allowed:
        raise InputError(
            f"{len(bad)} of {number_of(len(files), 'image')} cannot be read, more than the {allowed} that may be"
            f" skipped: {'; '.join(list(bad.values())[:3])}"
        )
    if bad:
        left = "is" if len(bad) == 1 else "are"
        named = ", ".join(map(str, list(bad)[:8]))
        note(f"{len(bad)} of {number_of(len(files), 'image')} cannot be read and {left} left out: {named}")
    return {split: _without(split, listing, bad) for split, listing in listed.items()}


def _without(split: str, listing: Listing, bad: Mapping[Path, str]) -> Listing:
    left = listing.part(np.array([row for row, file in enumerate(listing.files) if file not in bad], np.int64))
    emptied = sorted(set(listing.labels) - set(left.labels))
    if emptied and split not in ("val", "test"):
        example = next(file for file, label in zip(*listing, strict=True) if label == emptied[0])
        raise InputError(f"{example.parent}: none of the images of this class can be read; replace or remove them")
    return left
