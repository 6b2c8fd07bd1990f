"""The size of a data set's images where they are all of one size."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from b2nn_tvm.data.image_files.decode_image import size_of
from b2nn_tvm.errors import InputError

LARGEST = 512  # larger images are photos that merely come from one camera


def uniform_size(files: Iterable[Path]) -> tuple[int, int] | None:
    """Height and width of all images, or None where two of them differ, or a side is longer than LARGEST pixels.

    Reads the heads of the files, up to the first that differs. A file that is no image has no size; where the images
    are decoded it is an error.
    """
    found: tuple[int, int] | None = None
    for file in files:
        try:
            size = size_of(file)
        except InputError:
            continue
        if (found is not None and size != found) or max(size) > LARGEST:
            return None
        found = size
    return None if found is None else (found[1], found[0])
