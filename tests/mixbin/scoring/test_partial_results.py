"""Partial results come back to the question that they belong to, and to no other."""

from __future__ import annotations

import json

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.scoring.partial_results import PartialResults


def test_what_was_written_last_comes_back(tmp_path):
    results = PartialResults(tmp_path / "notes", "question")
    assert results.read() == {}
    results.write({"draws": 1})
    results.write({"draws": 2, "sums": {"a": 0.5}})
    assert PartialResults(tmp_path / "notes", "question").read() == {"draws": 2, "sums": {"a": 0.5}}


def test_another_question_finds_nothing(tmp_path):
    PartialResults(tmp_path / "notes", "question").write({"draws": 1})
    assert PartialResults(tmp_path / "notes", "another").read() == {}


def test_without_a_path_nothing_is_kept():
    results = PartialResults(None, "question")
    results.write({"draws": 1})
    assert results.read() == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected a notes document in JSON, but it cannot be read"),
        (json.dumps({"kind": "plan"}), "of kind 'notes', but its kind is 'plan'"),
        (json.dumps({"kind": "notes", "format_version": 1, "subject": "question"}), "'notes' is a required property"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, content, message):
    (tmp_path / "notes").write_text(content)
    with pytest.raises(InputError, match=message):
        PartialResults(tmp_path / "notes", "question").read()
