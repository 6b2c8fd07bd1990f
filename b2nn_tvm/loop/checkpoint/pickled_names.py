"""The names of the classes and functions that a file of torch.save asks for, read without building anything."""

from __future__ import annotations

import pickletools
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

MAGIC = 0x1950A86A20F9469CFC6C  # how torch.save began its files before version 1.6 (torch/serialization.py)

_NEWEST = 3  # later protocols put names together while they are read


def pickled_names(path: Path) -> set[str]:
    """The names with their modules, as today's Python calls them.

    Raises ValueError where the file is neither a zip nor a pickle of torch.save, or is damaged.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            pickles = [name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl"]
            if len(pickles) != 1:
                raise ValueError("a zip file without torch's data.pkl")
            with archive.open(pickles[0]) as file:
                return set(_names(pickletools.genops(file)))
    with path.open("rb") as file:
        return set(_names(_fourth_pickle(file)))


def _fourth_pickle(file: IO[bytes]) -> Iterator[tuple[Any, Any, int | None]]:
    """The old format: a magic number, a version and a note on the machine come before the object."""
    magic = [argument for _, argument, _ in pickletools.genops(file)]
    if MAGIC not in magic:
        raise ValueError("a pickle, but none of torch.save")
    for _ in range(2):
        for _ in pickletools.genops(file):
            pass
    return pickletools.genops(file)


def _names(operations: Iterator[tuple[Any, Any, int | None]]) -> Iterator[str]:
    for operation, argument, _ in operations:
        if operation.name == "PROTO" and argument > _NEWEST:
            raise ValueError(
                f"pickle protocol {argument}, whose names torch does not look up safely; save it again with protocol 2"
            )
        if operation.name in ("GLOBAL", "INST"):
            module, _, name = argument.partition(" ")
            if (module, name) in NAME_MAPPING:
                module, name = NAME_MAPPING[module, name]
            yield f"{IMPORT_MAPPING.get(module, module)}.{name}"
