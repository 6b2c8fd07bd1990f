"""Which classes and functions a file asks for, without asking for them."""

from __future__ import annotations

import argparse
import os
import pickle
from pathlib import Path

import pytest
import torch

from b2nn_tvm.loop.checkpoint.pickled_names import pickled_names


class Evil:
    def __reduce__(self):
        return os.mkdir, ("it-ran",)


@pytest.mark.parametrize("new", [True, False])
def test_names_in_both_formats_of_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new: bool) -> None:
    monkeypatch.chdir(tmp_path)
    content = {"w": torch.zeros(2), "args": argparse.Namespace(a=1), "set": {1}, "evil": Evil()}
    torch.save(content, tmp_path / "a.pt", _use_new_zipfile_serialization=new)
    names = pickled_names(tmp_path / "a.pt")
    assert {"argparse.Namespace", "torch.FloatStorage", f"{os.name}.mkdir", "builtins.set"} <= names
    assert not (tmp_path / "it-ran").exists()


def test_what_is_none_of_torchs_files(tmp_path: Path) -> None:
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps({"w": 1}))
    with pytest.raises(ValueError, match="none of torch.save"):
        pickled_names(tmp_path / "plain.pkl")
    (tmp_path / "text").write_bytes(b"hello, world")
    with pytest.raises(ValueError, match="."):
        pickled_names(tmp_path / "text")
