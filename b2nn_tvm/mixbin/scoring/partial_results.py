"""Partial results of a long computation, kept on disk for this very computation alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from b2nn_tvm.storage.document import read_document, write_document

KIND, VERSION = "notes", 1
SCHEMA = {
    "type": "object",
    "required": ["subject", "notes"],
    "properties": {"subject": {"type": "string"}, "notes": {"type": "object"}},
}


class PartialResults:
    """JSON-able notes in the file ``path`` for the computation with the hash ``subject``; without a path nothing is
    kept.
    """

    def __init__(self, path: str | os.PathLike[str] | None, subject: str):
        self._path, self._subject = None if path is None else Path(path), subject

    def read(self) -> dict[str, Any]:
        """The notes last written for this subject; empty where there are none. Raises InputError for a damaged file."""
        if self._path is None or not self._path.exists():
            return {}
        document = read_document(self._path, KIND, VERSION, SCHEMA)
        return document["notes"] if document["subject"] == self._subject else {}

    def write(self, notes: Mapping[str, Any]) -> None:
        """Replace the notes on disk in one step."""
        if self._path is not None:
            write_document(self._path, KIND, VERSION, {"subject": self._subject, "notes": notes})
