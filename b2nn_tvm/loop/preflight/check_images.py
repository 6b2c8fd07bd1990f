"""All image files of a data set are decoded once before a search, so that none of them ends it hours later."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from b2nn_tvm.data import DataBundle
from b2nn_tvm.data.bundle import Images
from b2nn_tvm.data.folder_images import FolderImages
from b2nn_tvm.data.image_files.bad_files import bad_files
from b2nn_tvm.data.subset import Subset
from b2nn_tvm.errors import InputError
from b2nn_tvm.progress import Progress
from b2nn_tvm.storage.phase_cache import State
from b2nn_tvm.words.number_of import number_of

NAMED = 5  # so many bad files are named with their reasons
PHASE = "images"


def check_images(data: DataBundle, state: State, *, progress: Progress) -> None:
    """Decode every image file of all splits; files that were found whole before, and have not changed, are not read
    again.

    Raises InputError, with the names and the reasons, where some cannot be decoded; nothing is written then.
    """
    files = tuple(dict.fromkeys(file for split in (data.train, data.val, data.test) for file in files_of(split)))
    if not files:
        return
    inputs = {"files": _fingerprint(files)}
    if state.finished(PHASE, inputs) is not None:
        return
    if bad := bad_files(files, progress=progress):
        some, more = list(bad.values())[:NAMED], len(bad) - NAMED
        listed = "; ".join(text.removesuffix("; replace or remove it") for text in some)
        raise InputError(
            f"{len(bad)} of {number_of(len(files), 'image')} cannot be read: {listed}"
            f"{f'; and {more} more' if more > 0 else ''}; replace or remove such files, or leave them out with"
            f" --skip-bad {len(bad)}"
        )
    state.run(PHASE, inputs, lambda _folder: {"images": len(files)})


def files_of(images: Images) -> Iterable[Path]:
    """The files of a split's images; none where they are no files of their own."""
    if isinstance(images, Subset):
        whole = tuple(files_of(images.images))
        return [whole[row] for row in images.rows] if whole else ()
    return images.files if isinstance(images, FolderImages) else ()


def _fingerprint(files: Sequence[Path]) -> str:
    """A hash of the names, sizes and times of the files."""
    told = hashlib.sha256()
    for file in files:
        told.update(os.fsencode(file))
        with contextlib.suppress(OSError):  # a file that is not there is found when it is decoded
            found = file.stat()
            told.update(f" {found.st_size} {found.st_mtime_ns}\n".encode())
    return told.hexdigest()
