"""Partial results of a long computation on disk, which belong to one question and are taken up by nobody else."""

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
    """JSON-able notes in ``path`` about what ``subject``, a hash, stands for; without a path nothing is kept."""

    def __init__(self, path: str | os.PathLike[str] | None, subject: str):
        self._path, self._subject = None if path is None else Path(path), subject

    def read(self) -> dict[str, Any]:
        """What was written last about this subject; empty where nothing was. Raises InputError for a damaged file."""
        if self._path is None or not self._path.exists():
            return {}
        document = read_document(self._path, KIND, VERSION, SCHEMA)
        return document["notes"] if document["subject"] == self._subject else {}

    def write(self, notes: Mapping[str, Any]) -> None:
        """Replace the file in one step."""
        if self._path is not None:
            write_document(self._path, KIND, VERSION, {"subject": self._subject, "notes": notes})
