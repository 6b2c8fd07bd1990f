"""What cannot be written is known before any work, and trying leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.storage.try_to_write import try_to_write, try_to_write_file


def test_what_can_be_written_is_as_it_was(tmp_path: Path) -> None:
    try_to_write(tmp_path / "a" / "b")
    try_to_write_file(tmp_path / "c" / "costs.json")
    assert os.listdir(tmp_path) == []
    (tmp_path / "old.json").write_text("kept")
    try_to_write_file(tmp_path / "old.json")
    assert (tmp_path / "old.json").read_text() == "kept" and os.listdir(tmp_path) == ["old.json"]


def test_what_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "out", Path("/proc/out")):
        with pytest.raises(InputError, match=rf"^{folder}: nothing can be written into this folder \(.+\); choose"):
            try_to_write(folder)
        with pytest.raises(InputError, match=rf"^{folder}: nothing can be written into this folder"):
            try_to_write_file(folder / "costs.json")
    with pytest.raises(InputError, match="expected the name of a file, but this is a folder; give a file in it"):
        try_to_write_file(tmp_path)


def test_a_link_that_leads_nowhere_is_called_so(tmp_path: Path) -> None:
    link = tmp_path / "out"
    link.symlink_to("gone")
    for folder in (link, link / "deeper"):
        with pytest.raises(
            InputError, match=rf"^{folder}: .* \({link} is a link to gone, which is not there\); choose"
        ):
            try_to_write(folder)
    (tmp_path / "gone").mkdir()
    try_to_write(link / "deeper")
    assert sorted(os.listdir(tmp_path)) == ["gone", "out"] and os.listdir(link) == []
