"""Documents come back as they were written, and what is something else is refused in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.storage import document
from b2nn_tvm.storage.document import read_document, write_atomic, write_document
from b2nn_tvm.version import __version__

SCHEMA = {
    "type": "object",
    "required": ["rows"],
    "properties": {"rows": {"type": "array", "items": {"type": "number"}}},
}


def read(path: Path) -> dict:
    return read_document(path, "table", 2, SCHEMA)


def test_a_document_comes_back_with_its_head(tmp_path: Path) -> None:
    path = write_document(tmp_path / "deep" / "er" / "t.json", "table", 2, {"rows": [1, 2.5]})
    head = {"kind": "table", "format_version": 2, "tool_version": __version__}
    assert read(path) == {**head, "rows": [1, 2.5]}
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())  # the mark that some editors leave
    assert read(path) == {**head, "rows": [1, 2.5]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "plan"}, "expected a document of kind 'table', but its kind is 'plan'"),
        ({"format_version": 3}, "expected format version 2 of table, but it has 3 .*; write it again"),
        ({"rows": [1, "two"]}, "rows/1 is not as expected: 'two' is not of type 'number'"),
        ({"rows": 5}, "rows is not as expected"),
    ],
)
def test_another_document_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    path = write_document(tmp_path / "t.json", "table", 2, {"rows": []})
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=f"t.json: {message}"):
        read(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "in JSON, but it cannot be read"),
        (b"[" * 100_000, "in JSON, but it cannot be read: maximum recursion depth"),
        (b"9" * 5000, "in JSON, but it cannot be read: Exceeds the limit"),
        (b"\xff\xfe", "but it is no text"),
        (b"[1]", "its kind is None"),
    ],
    ids=["cut", "deep", "long", "no text", "list"],
)
def test_what_is_no_document_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "t.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent.json: no such file; expected a table document"):
        read(tmp_path / "absent.json")
    with pytest.raises(InputError, match="expected a table document, but this is a folder$"):
        read(tmp_path)
    write_document(tmp_path / "table.json", "table", 2, {"rows": []})
    with pytest.raises(InputError, match=f"but this is a folder; give {tmp_path}/table.json"):
        read(tmp_path)
    with pytest.raises(InputError, match="cannot be read: .*Not a directory"):
        read(tmp_path / "table.json" / "t.json")


def test_an_interrupted_write_leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_atomic(tmp_path / "file", b"old")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(document.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_file_may_be_read_by_others_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = write_atomic(tmp_path / "file", b"")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_older_versions_are_read_where_their_schema_is_the_same(tmp_path: Path) -> None:
    path = write_document(tmp_path / "old.json", "notes", 2, {"x": 1})
    assert read_document(path, "notes", 3, {}, older=(1, 2))["x"] == 1
    with pytest.raises(InputError, match="expected format version 3"):
        read_document(path, "notes", 3, {}, older=(1,))
