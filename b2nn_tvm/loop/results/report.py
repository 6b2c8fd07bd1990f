"""The report of a search: report.json for machines and a self-contained report.html for people."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from b2nn_tvm.loop.results.page import page
from b2nn_tvm.loop.results.result import SearchResult
from b2nn_tvm.preprocess.block import block_of
from b2nn_tvm.storage.document import as_json, write_atomic, write_document

KIND, VERSION = "report", 2


def document(result: SearchResult) -> dict[str, Any]:
    """The result as JSON-able data; paths are relative to the result's folder."""
    body = asdict(result)
    body.pop("plan")
    body |= {
        "folder": str(result.folder),
        "libraries": {name: os.path.relpath(path, result.folder) for name, path in result.libraries.items()},
        "plan": {
            "digest": result.plan.digest,
            "binary": list(result.plan.binary),
            "layers": dict(result.plan.layers),
            "certificate": None if result.plan.certificate is None else asdict(result.plan.certificate),
        },
        "preprocess": None if result.preprocess is None else block_of(result.preprocess),
        "attempts": [asdict(attempt) for attempt in result.attempts],
        "prediction_error": result.prediction_error,
        "within_budget": result.within_budget,
        "status": result.status,
    }
    found: dict[str, Any] = as_json(body)
    return found


def write(result: SearchResult) -> tuple[Path, Path]:
    """Write report.json and report.html into the result's folder."""
    written = write_document(result.folder / "report.json", KIND, VERSION, document(result))
    return written, write_atomic(result.folder / "report.html", page(result).encode())
