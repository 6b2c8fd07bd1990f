"""Compile a file as a user does, and say what became of it in one word."""

from __future__ import annotations

import resource
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.deploy.library.verification import NOT_CHECKED
from b2nn_tvm.errors import B2nnError, ProgramFault, VerificationError
from tests.support.paths import ROOT

KEPT = ROOT / "build" / "fuzz"  # files with which something is wrong
EQUAL, REFUSED = "equal", "refused"  # as it should be
UNCHECKED = "unchecked"  # right for a file for which onnxruntime has no kernel; every other outcome is a fault
LONGEST_ERROR = 2000  # characters


@dataclass(frozen=True)
class Tried:
    """EQUAL to onnxruntime, REFUSED with an error of this project's kinds, UNCHECKED, or: "wrong" (the check refused
    it), "raw error", "left behind" (a refused file left files).

    ``layers`` counts convolutions and dense layers, ``binary`` those of them that are binary; ``added_mib`` is how much
    the largest memory of this process has grown.
    """

    outcome: str
    reason: str = ""
    layers: int = 0
    binary: int = 0
    seconds: float = 0.0
    added_mib: float = 0.0


def try_file(content: bytes, folder: Path, *, name: str) -> Tried:
    """Compile an ONNX file of this ``content`` in an empty ``folder``; where that shows a fault, the file is kept in
    build/fuzz under ``name``.
    """
    path, output = folder / "model.onnx", folder / "library"
    path.write_bytes(content)
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome, reason, layers, binary = _outcome(path, output)
    if outcome == REFUSED and (left := sorted(entry.name for entry in folder.iterdir() if entry != path)):
        outcome, reason = "left behind", f"{', '.join(left)} after {reason}"
    added = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    shutil.rmtree(output, ignore_errors=True)
    if outcome not in (EQUAL, REFUSED, UNCHECKED):
        KEPT.mkdir(parents=True, exist_ok=True)
        (KEPT / f"{name}.onnx").write_bytes(content)
    return Tried(outcome, reason, layers, binary, round(time.monotonic() - begun, 1), round(added, 1))


def _outcome(path: Path, output: Path) -> tuple[str, str, int, int]:
    try:
        with compile_model(path, output=output) as artifact:
            found = artifact.manifest.verification
            precisions = [row.precision for row in artifact.layers if row.op in ("conv2d", "dense")]
    except VerificationError as error:
        return "wrong", _short(error, path), 0, 0
    except ProgramFault as error:
        return "raw error", _short(error, path), 0, 0
    except B2nnError as error:
        if not str(error) or len(str(error)) > LONGEST_ERROR or "\n" in str(error):
            return "raw error", f"an error of {len(str(error))} characters", 0, 0
        return REFUSED, _short(error, path), 0, 0
    except Exception as error:  # noqa: BLE001 - which of them there are is what is asked
        return "raw error", f"{type(error).__name__}: {_short(error, path)}", 0, 0
    counts = len(precisions), precisions.count("binary")
    if found.method == NOT_CHECKED:
        return UNCHECKED, found.reason[:200], *counts
    return EQUAL, "", *counts


def _short(error: Exception, path: Path) -> str:
    return " ".join(str(error).replace(f"{path}: ", "").split())[:200]
