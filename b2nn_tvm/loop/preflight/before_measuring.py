"""All that is tried on the data, the network and the disk before a search measures anything."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from b2nn_tvm.data import DataBundle
from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.preflight.check_images import check_images
from b2nn_tvm.loop.preflight.check_room import check_apart, check_room, room_needed
from b2nn_tvm.loop.preflight.first_step import first_batches, take_step
from b2nn_tvm.progress import Note, Progress
from b2nn_tvm.storage.phase_cache import State


def before_measuring(
    model: nn.Module,
    data: DataBundle,
    folder: Path,
    state: State,
    *,
    trained: int,
    built: int,
    trains: bool,
    batch_size: int,
    progress: Progress,
    note: Note,
) -> None:
    """Try what a search that ``trained`` and ``built`` so many networks would fail at later: what takes seconds first,
    then all files of images. Nothing is written but that the images are whole.

    ``trains`` says whether anything is trained at all, in batches of ``batch_size``. Raises InputError for the first
    thing that fails.
    """
    check_apart(folder, data)
    check_room(folder, room_needed(model, trained=trained, built=built))
    try:
        batches = first_batches(data, note=note, batch_size=batch_size)
    except InputError:
        check_images(data, state, progress=progress)  # where files are to blame, all of them are named
        raise
    take_step(model, batches, trains=trains)
    check_images(data, state, progress=progress)
