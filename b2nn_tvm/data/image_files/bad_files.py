"""Which files of many are no readable images, and why."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from b2nn_tvm.data.image_files.decode_image import check
from b2nn_tvm.errors import InputError
from b2nn_tvm.progress import Progress

PHASE = "check the images"
CHUNK = 256  # files that are handed to the threads at once, between two steps of the bar


def bad_files(files: Sequence[Path], *, progress: Progress) -> dict[Path, str]:
    """The files that cannot be decoded, with the reason of each; every file is decoded once, several at a time."""
    bad: dict[Path, str] = {}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:  # Pillow decodes without Python's lock
        for first in range(0, len(files), CHUNK):
            progress(PHASE, first, len(files), f"{len(bad)} cannot be read" if bad else "")
            some = files[first : first + CHUNK]
            bad |= {file: reason for file, reason in zip(some, threads.map(_problem, some), strict=True) if reason}
    progress(PHASE, len(files), len(files), f"{len(bad)} cannot be read" if bad else "")
    return bad


def _problem(file: Path) -> str:
    try:
        check(file)
    except InputError as error:
        return str(error)
    return ""
