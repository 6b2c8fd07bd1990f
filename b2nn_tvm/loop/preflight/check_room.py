"""Whether a search can write what it is going to write: into its folder, and into the folder for temporary files."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from torch import nn

from b2nn_tvm.data import DataBundle
from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.preflight.check_images import files_of
from b2nn_tvm.storage.try_to_write import try_to_write

BASE_BYTES = 64 * 2**20  # libraries, reports, samples and what compilers leave for a moment
# A training keeps its weights, Adam's two moments, and a copy while the next checkpoint is written; a network that is
# delivered or measured has its ONNX file and a library with packed weights.
TRAINED, BUILT = 5, 3


def room_needed(model: nn.Module, *, trained: int, built: int) -> int:
    """About as many bytes as a search writes that trains and builds so many networks like ``model``."""
    weights: int = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    return BASE_BYTES + weights * (TRAINED * trained + BUILT * built)


def check_apart(folder: Path, data: DataBundle) -> None:
    """Raise InputError where ``folder`` lies in a folder whose folders are the classes of the data: it would become
    one of them the next time.
    """
    for split in (data.train, data.val, data.test):
        parents = [os.path.abspath(each) for each in {os.path.dirname(file) for file in files_of(split)}]
        classes = Path(os.path.commonpath(parents)) if len(parents) > 1 else None
        if classes and folder.absolute().resolve().is_relative_to(classes.resolve()):
            raise InputError(
                f"{folder}: the results cannot lie in {classes}, whose folders are the classes of the data; choose"
                " another folder with -o"
            )


def check_room(folder: Path, needed_bytes: int) -> None:
    """Raise InputError where nothing can be written into ``folder``, which need not be there yet, or where there or in
    the folder for temporary files fewer than ``needed_bytes`` are free. Nothing is left behind.
    """
    try_to_write(folder, remedy="choose another one with -o")
    for place in (_existing(folder), Path(tempfile.gettempdir())):
        free = shutil.disk_usage(place).free
        if free < needed_bytes:
            raise InputError(
                f"{place}: {_mib(free)} MiB are free there, but this search writes about {_mib(needed_bytes)} MiB; make"
                " room, or choose another folder (-o, and TMPDIR for temporary files)"
            )


def _existing(folder: Path) -> Path:
    return next(part for part in (folder.absolute(), *folder.absolute().parents) if part.exists())


def _mib(count: int) -> str:
    return f"{count / 2**20:,.0f}"
