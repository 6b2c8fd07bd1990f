"""The file that shows a mismatch: an .npz of inputs, of the outputs expected and got, and of values inside.

inputs/NAME   expected/NAME   got/NAME   layers_expected/NAME   layers_got/NAME
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from b2nn_tvm.errors import InputError

Arrays = Mapping[str, np.ndarray]


def write_arrays(path: Path, **groups: Arrays) -> None:
    """Write the arrays of each group by name; raises InputError where the file cannot be written."""
    named = {f"{group}/{name}": array for group, arrays in groups.items() for name, array in arrays.items()}
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            np.savez_compressed(file, **named)  # type: ignore[arg-type]
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: the file cannot be written: {error.strerror}") from None


def read_arrays(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """The groups of arrays in a file."""
    found: dict[str, dict[str, np.ndarray]] = {}
    with np.load(path, allow_pickle=False) as file:
        for key in file.files:
            group, _, name = key.partition("/")
            found.setdefault(group, {})[name] = file[key]
    return found
