"""The scores of a method: their order, their file, and what is taken up of them."""

from __future__ import annotations

import json

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.scoring.sensitivity import Sensitivity

FOUND = Sensitivity("front", {"b": 2.0, "a": 0.5, "c": 1.0}, {"b": 0.25}, 0.125, "subject 1")


def test_the_lowest_score_comes_first():
    assert FOUND.order == ("a", "c", "b")
    assert Sensitivity("m", {"b": 1.0, "a": 1.0}).order == ("b", "a")  # of equal scores the first one


def test_the_file_gives_back_what_was_saved(tmp_path):
    path = FOUND.save(tmp_path / "scores.json")
    assert Sensitivity.load(path) == FOUND
    assert list(Sensitivity.load(path).scores) == ["b", "a", "c"]
    bare = Sensitivity("random", {"a": 1.0})
    assert Sensitivity.load(bare.save(path)) == bare


def test_only_scores_of_the_same_subject_are_taken_up(tmp_path):
    path = FOUND.save(tmp_path / "scores.json")
    assert Sensitivity.begun(path, method="front", subject="subject 1") == FOUND
    nothing = Sensitivity("front", {}, subject="subject 2")
    assert Sensitivity.begun(path, method="front", subject="subject 2") == nothing
    assert Sensitivity.begun(tmp_path / "absent.json", method="front", subject="subject 2") == nothing
    assert Sensitivity.begun(None, method="front", subject="subject 2") == nothing


def test_a_file_of_something_else_is_refused(tmp_path):
    path = FOUND.save(tmp_path / "scores.json")
    document = json.loads(path.read_text())
    del document["layers"][1]["score"]
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="layers/1 is not as expected: 'score' is a required property"):
        Sensitivity.load(path)
    path.write_text(json.dumps({**document, "kind": "plan"}))
    with pytest.raises(InputError, match="of kind 'sensitivity', but its kind is 'plan'"):
        Sensitivity.load(path)
