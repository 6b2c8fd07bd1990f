"""What is valid JSON to Python is valid here, and values are found and read as Python reads them."""

from __future__ import annotations

import json

import pytest

DOCUMENT = {
    "a": {"b": [1, 2.5e-3, -4, [], {}, [[], [{"b": 1}]]], "": "empty", 'é"\\': None},
    "b": True,
    "text": 'line\n, quote ", slash \\ /, tab\t, \b\f\r, é, 漢, 😀, \u0001, \u07ff, \uffff',
    "last": "x",
}
INVALID = [
    *("", "{", "[1,]", "[1 2]", '{"a"}', '{"a": }', '{"a": 1,}', "{1: 2}", "'a'", '"a', '"\\x"', '"\\u12"', '"a\nb"'),
    *("nul", "+1", "1e", "--1", ".5", "[1] x", "[" * 100 + "]" * 100, '{"a": 1 "b": 2}', "1.2.3"),
]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_members_are_found(parts, indent, ascii_only):
    text = json.dumps(DOCUMENT, indent=indent, ensure_ascii=ascii_only).encode()
    find = parts.functions.json_member
    assert parts.functions.json_is_valid(text)
    assert parts.functions.json_text(find(text, b"text")).decode() == DOCUMENT["text"]
    assert parts.functions.json_text(find(text, b"last")) == b"x"
    assert find(text, b"c") is None and find(b"[1]", b"a") is None
    assert parts.functions.json_text(find(text, b"b")) is None


@pytest.mark.parametrize("text", INVALID)
def test_what_is_no_json_is_refused(parts, text):
    assert not parts.functions.json_is_valid(text.encode())


@pytest.mark.parametrize("text", ["1", " [ ] ", "-0.5E+3", "null", '"\\ud83d\\ude00"', "[[[{}]], true]"])
def test_what_is_json_is_taken(parts, text):
    json.loads(text)
    assert parts.functions.json_is_valid(text.encode())
