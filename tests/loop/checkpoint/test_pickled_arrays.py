"""Arrays of numpy in pickles are read as they are, and nothing else in a pickle is called."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.checkpoint.pickled_arrays import ArrayStandIn, TypeStandIn, read_plain_pickle
from b2nn_tvm.loop.checkpoint.read_checkpoint import read_checkpoint
from b2nn_tvm.loop.checkpoint.stand_ins import StandIn

FLOATS = np.arange(24, dtype=np.float32).reshape(2, 3, 4) - 7.5
ARRAYS = {
    "floats": FLOATS,
    "column major": np.asfortranarray(FLOATS),
    "a slice": FLOATS[:, ::2],
    "other bytes": FLOATS.astype(">f8"),
    "halves": FLOATS.astype(np.float16),
    "integers": np.arange(5),
    "flags": np.array([True, False]),
    "one number": np.array(2.5),
    "nothing": np.zeros((0, 3), np.float32),
}


def same(found: Any, array: np.ndarray) -> bool:
    return isinstance(found, torch.Tensor) and found.shape == array.shape and np.array_equal(found.numpy(), array)


@pytest.mark.parametrize("old", [False, True])
def test_arrays_in_a_file_of_torch_save(old: bool, tmp_path: Path) -> None:
    saved = {"model": ARRAYS, "list": [FLOATS], "rate": np.float64(0.1), "words": np.array(["a", None], object)}
    torch.save(saved, tmp_path / "a.pt", _use_new_zipfile_serialization=not old)
    read = read_checkpoint(tmp_path / "a.pt")
    assert all(same(read["model"][name], array) for name, array in ARRAYS.items())
    assert same(read["list"][0], FLOATS) and isinstance(read["words"], StandIn) and isinstance(read["rate"], StandIn)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_in_a_plain_pickle(protocol: int, tmp_path: Path) -> None:
    """As detectron2's zoo keeps its weights."""
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"model": ARRAYS, "__author__": "third party"}, protocol))
    read = read_checkpoint(tmp_path / "a.pkl")
    assert all(same(read["model"][name], array) for name, array in ARRAYS.items())
    assert read["__author__"] == "third party"


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.mkdir, (self.target,)


@pytest.mark.parametrize("protocol", [2, 4])
def test_nothing_is_called(protocol: int, tmp_path: Path) -> None:
    content = {"w": FLOATS, "other": Malicious(tmp_path / "made")}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, protocol))
    read = read_plain_pickle(tmp_path / "a.pkl")
    assert same(read["w"], FLOATS) and isinstance(read["other"], StandIn) and not (tmp_path / "made").exists()


@pytest.mark.parametrize("content", [{"a": 1.0}, [], torch.nn.Linear(2, 2), {"a": torch.ones(2)}])
def test_a_pickle_without_arrays_is_refused(content: object, tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match="a pickle, but none of torch.save, and without arrays of numpy"):
        read_checkpoint(tmp_path / "a.pkl")


def test_cut_short(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(ARRAYS)[:-40])
    with pytest.raises(InputError, match="cannot be read"):
        read_checkpoint(tmp_path / "a.pkl")


@pytest.mark.parametrize(
    "state",
    [
        None,
        (1, (2,), TypeStandIn("f4"), False, b"1234567"),
        (1, (2, -1), TypeStandIn("f4"), False, b""),
        (1, ("2",), TypeStandIn("f4"), False, b"12345678"),
        (1, (2,), TypeStandIn("O8"), False, b"12345678"),
        (1, (2,), "f4", False, b"12345678"),
        (1, (2,), TypeStandIn("f4"), False, [1, 2]),
    ],
)
def test_states_of_no_sense_give_no_tensor(state: object) -> None:
    array = ArrayStandIn(object, (0,), b"b")
    array.__setstate__(state)
    assert array.tensor() is None
