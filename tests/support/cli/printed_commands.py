"""The command lines and options that messages, help texts, docstrings and pages print, as text to be parsed."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SAMPLE = "1"  # stands for what an f-string fills in: a name, a number, a path
_NAME = re.compile(r"(?:\./|(?<![\w./-]))b2nn-[a-z]+(?![\w-])")
_QUOTED = re.compile(r'"([^"\n]+)"|``([^`\n]+)``|(?<!`)`([^`\n]+)`(?!`)')
_OPTION = re.compile(r"(?<![\w,=-])(--[a-z][a-z-]*)(?:[ =]([^\s\"'`)]+))?")
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_ENDS = (">", "<", "|", "&&", ";", "&")


@dataclass(frozen=True)
class Printed:
    """``words`` are a command and its arguments, or one option and its value; ``whole`` if nothing may be missing."""

    place: str
    words: tuple[str, ...]
    whole: bool = False


def in_python(path: Path, source: str) -> Iterator[Printed]:
    """All that the string literals of a Python source print."""
    for line, text in _literals(ast.parse(source)):
        place = f"{path}:{line}"
        if not re.search(r"\s", text):  # one word is an argument for a program, not a message
            continue
        rest = text
        for quoted in _quotations(text):
            if _NAME.match(quoted):
                yield Printed(place, _split(quoted))
                rest = rest.replace(quoted, " ")
        for row in rest.splitlines():
            if row.strip().startswith("./b2nn-"):
                yield Printed(place, _split(row), whole=True)
            elif row.strip().startswith("cmake "):
                continue  # its options are its own
            else:
                yield from _in_prose(place, row)


def in_page(path: Path, text: str) -> Iterator[Printed]:
    """The command lines in the blocks of a page, and the quoted ones in its text."""
    for block in (block for language, block in _FENCED.findall(text) if language in ("", "sh")):
        for row in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"\s(?:\||&&)\s", _by_name(row)):
                if command := re.match(r"\s*(?:ssh \S+ )?((?:\S*/)?b2nn-[a-z]+(?:\s.*|$))", part):
                    yield Printed(str(path), _split(command.group(1)), whole=True)
    for quoted in map(_by_name, _quotations(_FENCED.sub("", text))):
        if _NAME.match(quoted):
            yield Printed(str(path), _split(quoted))
        elif quoted.startswith("--"):
            yield from _in_prose(str(path), quoted)


def installs(text: str) -> list[str]:
    """What ``pip install`` is told to install, past the constraints that it is to keep."""
    found = re.findall(r"pip install (?:-c \S+ )?(\\?['\"]?[\w.=-]+(?:\[[\w,]+\])?)", text)
    return [word.strip("'\"\\") for word in found]


def make_targets(text: str) -> list[str]:
    """The targets of make in quotes."""
    return [found[1] for quoted in _quotations(text) if (found := re.match(r"make ([a-z-]+)", quoted))]


def _by_name(row: str) -> str:
    """``b2nn search ...`` and ``python -m b2nn_tvm search ...`` as ``b2nn-search ...``."""
    return re.sub(r"^(\s*)(?:b2nn|python3? -m b2nn_tvm) ([a-z]+)\b", r"\1b2nn-\2", row)


def _literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every string, those with ``{...}`` fields as one, with SAMPLE for each field."""
    if isinstance(tree, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else SAMPLE for part in tree.values]
        yield tree.lineno, "".join(parts)
        for part in tree.values:
            if isinstance(part, ast.FormattedValue):
                yield from _literals(part.value)
        return
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        yield tree.lineno, tree.value
    for child in ast.iter_child_nodes(tree):
        yield from _literals(child)


def _quotations(text: str) -> list[str]:
    return [next(filter(None, groups)) for groups in _QUOTED.findall(text)]


def _split(line: str) -> tuple[str, ...]:
    """The words of a shell's line up to a comment, a redirection or another command; "..." stands for more."""
    words = shlex.split(line, comments=True)
    end = next((i for i, word in enumerate(words) if word in _ENDS), len(words))
    return tuple(words[:end][:-1] if words[:end][-1:] == ["..."] else words[:end])


def _in_prose(place: str, row: str) -> Iterator[Printed]:
    """Options, with the name of the command before, and the word behind: a value, or more of the sentence."""
    for found in _OPTION.finditer(row):
        option, word = found.group(1), (found.group(2) or "").rstrip(".,;:")
        before = re.search(rf"({_NAME.pattern})\s+$", row[: found.start()])
        is_prose = before and word.isalpha() and word.islower()
        value = () if not word or word.startswith("-") or is_prose else (word,)
        yield Printed(place, (*((before.group(1),) if before else ()), option, *value))
