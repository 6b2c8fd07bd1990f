"""Finished phases of long work on disk, so that interrupted work goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from b2nn_tvm.errors import InputError
from b2nn_tvm.storage.document import read_document, write_document
from b2nn_tvm.version import __version__

KIND, VERSION = "phase", 1
SCHEMA = {
    "type": "object",
    "required": ["digest", "result", "files"],
    "properties": {
        "digest": {"type": "string"},
        "result": {"type": "object"},
        "files": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
}


def digest(inputs: Mapping[str, Any]) -> str:
    """SHA-256 over ``inputs``, which JSON can hold, and the tool's version."""
    text = json.dumps({**inputs, "tool_version": __version__}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class State:
    """The phases of one piece of work under ``folder``, one sub-folder each with a document ``phase.json`` that is
    written last. All paths that it gives are absolute: processes that work in other folders read them, too.
    """

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self.folder = folder.absolute()
        self.reused: list[str] = []
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)

    def files(self, name: str) -> Path:
        """The folder that holds the files of a phase."""
        return self.folder / name

    def run(self, name: str, inputs: Mapping[str, Any], compute: Callable[[Path], Mapping[str, Any]]) -> dict[str, Any]:
        """The result of a phase: from disk where it finished before with equal ``inputs``, else from
        ``compute(folder)``.

        JSON can hold ``inputs`` and the result. The files that ``compute`` writes below its folder belong to the phase:
        it counts as finished only while every file is there with its size. A phase that stopped half-way starts again
        in the folder that it left.
        """
        if (found := self.finished(name, inputs)) is not None:
            return found
        folder, key = self.files(name), digest(inputs)
        self._clear_other(folder, key)
        result = dict(compute(folder))
        files = {
            str(path.relative_to(folder)): path.stat().st_size
            for path in sorted(folder.rglob("*"))
            if _belongs(path, folder)
        }
        write_document(folder / "phase.json", KIND, VERSION, {"digest": key, "result": result, "files": files})
        as_read: dict[str, Any] = json.loads(json.dumps(result))
        return as_read

    def finished(self, name: str, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
        """The result of a phase that finished before with equal ``inputs``, else None."""
        found = self._finished(self.files(name), digest(inputs))
        if found is not None:
            self.reused.append(name)
        return found

    def forget(self, name: str) -> None:
        """Compute a phase again next time, whatever its inputs."""
        (self.files(name) / "phase.json").unlink(missing_ok=True)

    def _finished(self, folder: Path, key: str) -> dict[str, Any] | None:
        try:
            document = read_document(folder / "phase.json", KIND, VERSION, SCHEMA)
        except InputError:
            return None
        intact = all(
            (folder / name).is_file() and (folder / name).stat().st_size == size
            for name, size in document["files"].items()
        )
        result: dict[str, Any] = document["result"]
        return result if intact and document["digest"] == key else None

    def _clear_other(self, folder: Path, key: str) -> None:
        """Keep the files of an interrupted run with the same inputs (checkpoints); drop the files of a run with other
        inputs.
        """
        begun = folder / "begun"
        if not begun.is_file() or begun.read_text(encoding="utf-8") != key:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            begun.write_text(key, encoding="utf-8")


def _belongs(path: Path, folder: Path) -> bool:
    return path.is_file() and path not in (folder / "phase.json", folder / "begun")
