"""Folders that can be written, with room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from b2nn_tvm import data
from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.preflight.check_room import BASE_BYTES, check_apart, check_room, room_needed
from tests.support.loop.faulty_inputs import write_inputs
from tests.support.mixbin import noise


def test_a_folder_that_is_not_there_yet_is_tried_and_not_left(tmp_path: Path) -> None:
    check_room(tmp_path / "a" / "b", 1)
    assert os.listdir(tmp_path) == []
    (tmp_path / "c").mkdir()
    check_room(tmp_path / "c", 1)
    assert os.listdir(tmp_path / "c") == []


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder, reason in (
        (tmp_path / "file", "directory"),
        (tmp_path / "file" / "out", "directory"),
        (Path("/proc/x"), ""),
    ):
        with pytest.raises(InputError, match=f"^{folder}: nothing can be written into this folder .*{reason}.*-o"):
            check_room(folder, 1)


def test_results_are_no_class_of_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pets = write_inputs(tmp_path)
    split, flat = data.folder(pets), data.flat_folder(pets / "train")
    for bundle, folder in (
        (split, pets / "val"),
        (split, pets / "train" / "out"),
        (flat, pets / "train" / "cat" / "o"),
    ):
        with pytest.raises(InputError, match=f"^{folder}: the results cannot lie in .*; choose another folder with -o"):
            check_apart(folder, bundle)
    for bundle, folder in ((split, pets / "out"), (flat, pets), (flat, pets / "trained"), (noise.images(), pets)):
        check_apart(folder, bundle)
    monkeypatch.chdir(pets / "train")
    with pytest.raises(InputError, match="^out: the results"):
        check_apart(Path("out"), data.flat_folder("."))


def test_a_full_disk_is_told_before_it_is_full(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"MiB are free there, but this search writes about 1,099,511,627,776 MiB"):
        check_room(tmp_path, 2**60)


def test_the_room_grows_with_networks_and_weights() -> None:
    assert room_needed(torch.nn.Linear(10, 10), trained=0, built=0) == BASE_BYTES
    assert room_needed(torch.nn.Linear(10, 10), trained=2, built=3) == BASE_BYTES + 440 * 19
