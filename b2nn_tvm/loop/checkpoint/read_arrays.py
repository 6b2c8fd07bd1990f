"""Read weights that numpy.savez wrote: an archive with one array for each name."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np
import torch

from b2nn_tvm.errors import InputError

_ENDING = ".npy"
_NUMBERS = "fiub"  # the kinds of numpy's types that torch has
_OLDEST = (1, 0)


def is_arrays(path: Path) -> bool:
    """Whether the file is an archive of numpy arrays and nothing else."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return bool(names) and all(name.endswith(_ENDING) for name in names)


def read_arrays(path: Path) -> dict[str, torch.Tensor]:
    """The arrays of numbers in the file by name; others, such as text, are left.

    Nothing is unpickled, and nothing is allocated that the file does not hold. Raises InputError where an array is cut
    short.
    """
    found: dict[str, torch.Tensor] = {}
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            name = entry.filename.removesuffix(_ENDING)
            with archive.open(entry) as file:
                version = np.lib.format.read_magic(file)
                read = (
                    np.lib.format.read_array_header_1_0 if version == _OLDEST else np.lib.format.read_array_header_2_0
                )
                shape, fortran_order, dtype = read(file)
                if dtype.kind not in _NUMBERS:
                    continue
                size = math.prod(shape) * dtype.itemsize
                content = file.read(size) if size <= entry.file_size else b""
            if len(content) != size:
                raise InputError(f"{path}: the bytes of {name} are not those of an array {list(shape)}: cut short")
            array = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran_order else "C")
            found[name] = torch.from_numpy(array.astype(dtype.newbyteorder("="), order="C", copy=True))
    return found
