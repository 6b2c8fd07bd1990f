"""Weights in several files beside an index."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.checkpoint.read_checkpoint import read_checkpoint

NAMES = {"a.weight": "one.bin", "b.weight": "two.bin", "c.weight": "one.bin"}


def written(folder: Path, places: object) -> Path:
    for name in ("one.bin", "two.bin"):
        part = {tensor: torch.full((2,), ord(tensor[0])) for tensor, place in NAMES.items() if place == name}
        torch.save(part, folder / name)
    index = folder / "model.bin.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 24}, "weight_map": places}))
    return index


@pytest.mark.parametrize("whole_folder", [False, True])
def test_all_parts_are_read(tmp_path: Path, whole_folder: bool) -> None:
    index = written(tmp_path, NAMES)
    loaded = read_checkpoint(tmp_path if whole_folder else index)
    assert list(loaded) == list(NAMES)
    assert [tensor[0].item() for tensor in loaded.values()] == [ord("a"), ord("b"), ord("c")]


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({**NAMES, "d.weight": "two.bin"}, "two.bin lacks d.weight"),
        ({"a.weight": "three.bin"}, "three.bin: no such file"),
        ({"a.weight": "../one.bin"}, "it names '../one.bin'; expected files of weights beside it"),
        ({"a.weight": "model.bin.index.json"}, "expected files of weights beside it"),
        ({"a.weight": 3}, "it is damaged"),
        ([], "it is damaged"),
    ],
)
def test_an_index_that_does_not_fit_its_files(tmp_path: Path, places: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_checkpoint(written(tmp_path, places))


def test_an_index_cut_short_and_parts_that_hold_no_tensors(tmp_path: Path) -> None:
    index = written(tmp_path, NAMES)
    torch.save([1, 2], tmp_path / "two.bin")
    with pytest.raises(InputError, match=r"two.bin: expected tensors by name, but it holds a list"):
        read_checkpoint(index)
    index.write_text(index.read_text()[:40])
    with pytest.raises(InputError, match="it is damaged; copy it again"):
        read_checkpoint(index)
