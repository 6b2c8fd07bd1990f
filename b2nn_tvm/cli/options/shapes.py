"""The option --input-shape, in the spellings of the tools that people come from."""

from __future__ import annotations

import json
import re

import click

_SIZE = r"[1-9][0-9]{0,9}"
_BETWEEN = r"(?:\s*[xX*,]\s*|\s+)"
_PLAIN = rf"{_SIZE}(?:{_BETWEEN}{_SIZE})*"
_BRACKETED = rf"\[\s*{_PLAIN}\s*\]|\(\s*{_PLAIN}\s*\)"
_ONE = re.compile(rf"(?:(.+)[=:]|(.*[^\s=:])(?=\s*[\[(]))?\s*({_PLAIN}|{_BRACKETED})\s*", re.DOTALL)
# Several shapes in one word have sizes that no comma or space parts, or brackets around them.
_NAMED = rf"[^\s,;\[\]()]+(?:[=:]{_SIZE}(?:x{_SIZE})*|[=:]?\s*(?:{_BRACKETED}))"
_SEVERAL = re.compile(rf"\s*{_NAMED}(?:\s*[\s,;]\s*{_NAMED})+\s*")


def shapes(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """The callback of the option --input-shape: the shapes in ``texts`` by the names of the inputs.

    A shape is spelled NAME=1x3x32x32, as by trtexec (NAME:1x3x32x32, several with commas between them), onnxsim
    (NAME:1,3,32,32), TVM's tvmc (NAME:[1,3,32,32], several with spaces between them), OpenVINO (NAME[1,3,32,32]), as
    JSON, with brackets around its sizes, or without a name, which is "" in the result. A name may have ":" and "=" in
    it: the last one ends it, and quotes around it are taken off.
    """
    found: dict[str, tuple[int, ...]] = {}
    for name, sizes in (shape for text in texts for shape in _shapes(text)):
        if found.setdefault(name, sizes) != sizes:
            of = f"of {name}" if name else "without a name"
            raise click.BadParameter(f"expected one shape for each input, but two came {of}: give it once")
    return found


def _shapes(text: str) -> list[tuple[str, tuple[int, ...]]]:
    """The shapes in one word: one, or several."""
    if text.lstrip().startswith("{"):
        return _of_json(text)
    if _SEVERAL.fullmatch(text):
        return [_shape(part) for part in re.findall(_NAMED, text)]
    return [_shape(text)]


def _of_json(text: str) -> list[tuple[str, tuple[int, ...]]]:
    try:
        found = json.loads(text)
    except ValueError:
        found = {}
    if not found or not all(isinstance(sizes, list) for sizes in found.values()):
        raise _no_shape(text)
    return [(name, _shape(str(sizes))[1]) for name, sizes in found.items()]


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    match = _ONE.fullmatch(text)
    if match is None:
        raise _no_shape(text)
    name = match[1] or match[2] or ""
    quoted = re.fullmatch(r"""(['"])(.+)\1""", name, re.DOTALL)
    return quoted[2] if quoted else name, tuple(map(int, re.findall("[0-9]+", match[3])))


def _no_shape(text: str) -> click.BadParameter:
    return click.BadParameter(
        f"expected NAME=1x3x32x32, or 1x3x32x32 where the network has one input, but got {text!r}; "
        "write sizes of 1 or more with x or commas between them"
    )
