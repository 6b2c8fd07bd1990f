"""The commands of a page as a reader types them: the lines of its blocks, and in its text those that lack nothing."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click

_PART = re.compile(r"^```(\w*)\n(.*?)^```|(?<!`)`([^`\n]+)`(?!`)", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(
    r"(?:\./|[A-Z_]+=\S+ )?(?:b2nn(?:-[a-z]+)?|python3?|pip|ssh|ssh-copy-id|scp|dask|torchrun|cmake|ffmpeg|for|eval"
    r"|mkdir|make)(?=\s|$)"
)
_PLACEHOLDERS = {"NAME", "FOLDER", "FILE", "ADDRESS", "LIST", "N"}


def typed_lines(page: Path) -> Iterator[str]:
    """All commands of a page, in its order."""
    for language, block, quoted in _PART.findall(page.read_text(encoding="utf-8")):
        if quoted and _lacks_nothing(quoted):
            yield quoted
        for line in block.replace("\\\n", " ").splitlines() if language in ("", "sh") else ():
            if language == "sh" or _COMMAND.match(line):
                yield line


def _lacks_nothing(quoted: str) -> bool:
    """Whether a text in quotes can be typed: it is a command with all that it needs, and not a mention of one."""
    words = shlex.split(quoted) if quoted.count('"') % 2 == quoted.count("'") % 2 == 0 else []
    if len(words) < 2 or _PLACEHOLDERS & set(words):
        return False
    first = Path(words[0]).name
    if first == "b2nn-run":
        return words[1] in ("--help", "--version", "--profile")
    if not first.startswith("b2nn-"):
        return quoted.startswith(("python -m b2nn_runtime ", "python benchmarks/", "cmake -S", "make "))
    if words[1:] == ["--list-targets"]:
        return True
    command = importlib.import_module(f"b2nn_tvm.cli.{first.removeprefix('b2nn-')}").main
    try:
        command.make_context(first, [word for word in words[1:] if word != "--json"])
    except click.UsageError:
        return False
    return True
