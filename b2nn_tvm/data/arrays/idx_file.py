"""Read one IDX file: 0, 0, the type 8 (bytes), the number of axes, each length in four bytes, the values."""

from __future__ import annotations

import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np

from b2nn_tvm.errors import InputError
from b2nn_tvm.words.number_of import number_of

BYTES = 8  # the number of the type; MNIST's distributors use no other one
MOST_AXES, MOST_VALUES = 4, 1 << 30  # EMNIST's largest file has 547 million


def read_idx(path: Path) -> np.ndarray:
    """The array uint8 of a file, gzipped or not; raises InputError where it is damaged or holds other values.

    No more is unpacked than the file's head announces, and a byte.
    """
    try:
        with open(path, "rb") as plain:
            zipped = plain.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else open(path, "rb") as file:
            return _array(path, file)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: expected an IDX file, but it cannot be read ({error}); get it anew") from None


def _array(path: Path, file: io.BufferedIOBase) -> np.ndarray:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or not 1 <= head[3] <= MOST_AXES:
        raise InputError(f"{path}: expected an IDX file, which begins with 0 0 8 and its number of axes; it is none")
    if head[2] != BYTES:
        raise InputError(f"{path}: expected an IDX file of bytes (type 8), but its type is {head[2]}; convert it")
    lengths = np.frombuffer(file.read(4 * head[3]), ">u4").tolist()
    count = math.prod(lengths)
    if len(lengths) != head[3] or count > MOST_VALUES:
        raise InputError(f"{path}: a damaged IDX file: its lengths are {lengths}; get it anew")
    values = file.read(count + 1)
    if len(values) != count:
        came = "more" if len(values) > count else f"{len(values)}"
        raise InputError(
            f"{path}: a damaged IDX file: it should hold {number_of(count, 'value')}, but holds {came}; get it anew"
        )
    return np.frombuffer(values, np.uint8).reshape(lengths)
