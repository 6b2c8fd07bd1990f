"""What a table may call a file."""

from __future__ import annotations

from pathlib import Path

from b2nn_tvm.data.tables.find_files import FileIndex


def test_paths_names_and_names_without_endings(tmp_path: Path) -> None:
    for name in ("a/1.jpg", "b/1.jpg", "b/2.JPEG", "notes.txt", ".hidden.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    index = FileIndex(tmp_path)
    assert index.find("a/1.jpg") == tmp_path / "a/1.jpg" == index.find("a\\1")
    assert index.find("2") == index.find("/home/me/set/2.JPEG") == index.find(" ./b/2.JPEG") == tmp_path / "b/2.JPEG"
    assert [index.find(name) for name in ("1.jpg", "notes.txt", ".hidden.jpg", "3", "")] == [None] * 5
