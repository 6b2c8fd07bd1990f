"""The process that runs and checks libraries: code that was just generated may end its process, and memory is freed.

It reads one request per line from its input, as JSON, with the current folder and variables of the process that asks,
and answers each with a line. It ends with its input.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from b2nn_tvm.deploy.devices.emulator import EmulatorDevice
from b2nn_tvm.deploy.library.artifact import Artifact, load
from b2nn_tvm.errors import B2nnError, DeviceLost
from b2nn_tvm.verification.mismatch_file import read_arrays, write_arrays
from b2nn_tvm.verification.oracle import NoReference, Oracle
from b2nn_tvm.verification.relative_difference import excess, relative_difference
from b2nn_tvm.verification.verify_artifact import INPUTS, Mismatch, Run, Undecided, verify_artifact


@dataclass(frozen=True)
class Request:
    """Check the library in ``folder`` against the file ``onnx_path``; the arrays of a mismatch go into ``arrays``.

    The fields are those of verify_artifact. ``emulator`` is the CPU as which the library is emulated, or "" where this
    machine runs it; ``limit_s`` is the time that an emulator has. With ``same_inputs`` the inputs in ``arrays`` are
    run, in place of drawn ones, and each output is compared. ``shows`` is the folder of a library for this machine that
    shows its sides (show_sides), or "". ``level`` is the instruction set of the level to run, "" where the library has
    one or chooses.
    """

    folder: str
    onnx_path: str
    sign_zero: str | None
    arrays: str
    what: str = "the compiled library"
    needed: int = INPUTS
    emulator: str = ""
    limit_s: float = 0.0
    same_inputs: bool = False
    shows: str = ""
    level: str = ""


def answer(request: Request) -> dict[str, Any]:
    """The answer to a request: the fields of a Comparison, the differences of outputs, or an error's kind and text."""
    try:
        with _loaded(request) as artifact, _shown(request) as show:
            if request.same_inputs:
                return {"differences": _differences(artifact, request)}
            compared = verify_artifact(
                artifact,
                request.onnx_path,
                sign_zero=request.sign_zero,
                run=_emulated(artifact, request) if request.emulator else None,
                what=request.what,
                needed=request.needed,
                show=show,
            )
            return {"comparison": asdict(compared)}
    except Mismatch as error:
        write_arrays(Path(request.arrays), inputs=error.inputs, expected=error.expected, got=error.got)
        return {"error": "Mismatch", "text": str(error)}
    except Undecided as error:
        return {"error": "Undecided", "text": str(error), "sides": error.sides}
    except NoReference as error:
        return {"error": "NoReference", "text": str(error), "reason": error.reason}
    except B2nnError as error:
        return {"error": type(error).__name__, "text": str(error)}


def _loaded(request: Request) -> Artifact:
    artifact = load(request.folder)
    return artifact.at_level(request.level) if request.level else artifact


@contextmanager
def _shown(request: Request) -> Iterator[Run | None]:
    if not request.shows:
        yield None
        return
    with load(request.shows) as artifact:
        yield artifact.run


def _emulated(artifact: Artifact, request: Request) -> Run:
    begun: list[float] = []

    def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        begun.append(time.monotonic())
        if begun[-1] - begun[0] > request.limit_s:  # the inputs before had ties, and decided nothing
            raise DeviceLost(f"no input decided within {request.limit_s:g} s")
        return EmulatorDevice(request.emulator, timeout_s=request.limit_s).run(artifact, inputs)

    return run


def _differences(artifact: Artifact, request: Request) -> dict[str, float]:
    """The relative difference of each output of the library that is not right, on the inputs of the request."""
    inputs = read_arrays(Path(request.arrays))["inputs"]
    expected, got = Oracle(request.onnx_path, sign_zero=request.sign_zero).run(inputs), artifact.run(inputs)
    write_arrays(Path(request.arrays), inputs=inputs, expected=expected, got=got)
    pairs = {name: ({name: got[name]}, {name: expected[name]}) for name in expected}
    return {name: float(relative_difference(*pair)) for name, pair in pairs.items() if excess(*pair) > 1}


def _take_over(folder: str, variables: Mapping[str, str]) -> None:
    """Emulators are looked for below the current folder, in the PATH, and where variables of this project say."""
    os.chdir(folder)
    for name in [name for name in os.environ if name.startswith("B2NN_") and name not in variables]:
        del os.environ[name]
    os.environ.update(variables)


def main() -> None:
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    for line in sys.stdin:
        try:
            asked = json.loads(line)
            _take_over(asked["folder"], asked["variables"])
            found = answer(Request(**asked["request"]))
        except Exception as error:  # noqa: BLE001 - the process that asked tells the user
            found = {"error": "unexpected", "text": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(found) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
