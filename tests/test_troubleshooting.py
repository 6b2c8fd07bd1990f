"""docs/troubleshooting.md quotes messages and variables that are the program's."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.parsed import parsed
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
MESSAGES = re.findall(r"^### (.+)$", PAGE, re.MULTILINE)
SOURCES = [path for folder in ("b2nn_tvm", "deploy", "targets") for path in sorted((ROOT / folder).rglob("*.py"))]


def texts(path: Path) -> list[str]:
    """All strings of a source file; what a string is formatted with is …"""
    found = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


@cache
def everything() -> list[str]:
    return [text for path in SOURCES for text in texts(path)]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_one_that_the_program_writes(message: str) -> None:
    pattern = re.compile(".*".join(re.escape(part) for part in re.split(r"\s*…\s*", message) if part), re.DOTALL)
    assert any(pattern.search(text) for text in everything())


def test_the_variables_are_those_that_are_read() -> None:
    named = {word for row in re.findall(r"^\| (`.+?`) \|", PAGE, re.MULTILINE) for word in re.findall("`(.+?)`", row)}
    assert {"B2NN_CC", "B2NN_SSH"} <= named
    assert [word for word in sorted(named) if word.startswith("B2NN") and word not in everything()] == []
    read = {text for text in everything() if re.fullmatch("B2NN_[A-Z_]+", text)}
    assert {word for word in read if f'VARIABLE = "{word}"' in "".join(map(Path.read_text, SOURCES))} <= named
