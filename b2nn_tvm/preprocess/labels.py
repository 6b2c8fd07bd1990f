"""The names of a network's classes: a JSON list in metadata and manifest, labels.txt for a board."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from b2nn_tvm.errors import InputError

FILE = "labels.txt"


def tidy(names: Iterable[str]) -> tuple[str, ...]:
    """The names, each on one line and without space around it."""
    return tuple(" ".join(name.split()) for name in names)


def labels_text(labels: Iterable[str]) -> str:
    """The content of labels.txt: one name in each line."""
    return "".join(f"{label}\n" for label in tidy(labels))


def read_labels(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The names in a file with one in each line; raises InputError where it is none."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")  # some editors write a mark at the beginning
    except (OSError, UnicodeDecodeError) as error:
        reason = f"it cannot be read: {error.strerror}" if isinstance(error, OSError) else "it is no text in UTF-8"
        raise InputError(f"{path}: expected a file with the name of a class in each line, but {reason}") from None
    if not text.strip():
        raise InputError(f"{path}: expected a file with the name of a class in each line, but it is empty")
    return tidy(text.removesuffix("\n").split("\n"))


def from_json(text: str) -> tuple[str, ...]:
    """The names in a JSON list; raises InputError where it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not found or not all(isinstance(name, str) for name in found):
        raise InputError(f"labels: expected a list of names in JSON, but it is {text[:80]!r}")
    return tidy(found)
