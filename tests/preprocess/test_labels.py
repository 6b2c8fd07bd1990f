"""Names of classes in files: one in each line, whatever they are."""

from __future__ import annotations

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess.labels import from_json, labels_text, read_labels, tidy

NAMES = ("cat", "hot dog", "Käse, 2 %", "n01440764 tench")


def test_names_survive_a_file(tmp_path):
    (tmp_path / "labels.txt").write_text(labels_text(NAMES), encoding="utf-8")
    assert read_labels(tmp_path / "labels.txt") == NAMES
    (tmp_path / "labels.txt").write_bytes(b"\xef\xbb\xbfcat\r\nhot dog\r\n")  # as some editors write it
    assert read_labels(tmp_path / "labels.txt") == NAMES[:2]


def test_a_name_stays_on_its_line():
    assert tidy(["a\nb", " c\td "]) == ("a b", "c d")
    assert labels_text(["a\nb", "c"]).splitlines() == ["a b", "c"]


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), (b"", "it is empty"), (b"\xff\xfe", "UTF-8")])
def test_what_is_no_file_of_names_is_refused(tmp_path, content, reason):
    if content is not None:
        (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(InputError, match=rf"labels.txt: expected a file with the name of a class .*{reason}"):
        read_labels(tmp_path / "labels.txt")


def test_names_in_json():
    assert from_json('["cat", "hot dog"]') == NAMES[:2]
    for text in ('"cat"', "[]", "[1]", "{", '{"cat": 0}'):
        with pytest.raises(InputError, match="expected a list of names in JSON"):
            from_json(text)
