"""Have a library run and checked in another process, so that a crash of generated code is a message.

One process serves all checks of this one, because it takes half a second to start.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

from b2nn_tvm import errors
from b2nn_tvm.errors import VerificationError
from b2nn_tvm.verification.check_worker import Request
from b2nn_tvm.verification.oracle import NoReference
from b2nn_tvm.verification.verify_artifact import Comparison, Undecided


class Disagrees(VerificationError):
    """A library disagrees with its reference; the arrays are in the file that the request named."""


def run_check(request: Request) -> Comparison:
    """The comparison that was asked for. Raises the errors of verify_artifact, Disagrees for its Mismatch, DeviceError
    and DeviceLost where a device fails, and VerificationError where the library ends its process.
    """
    return Comparison(**_worker.ask(request)["comparison"])


def differences(request: Request) -> dict[str, float]:
    """The relative difference of each output that is not right, on given inputs; raises as run_check does."""
    found: dict[str, float] = _worker.ask(request)["differences"]
    return found


class _Worker:
    """The process, started with the first question, and anew after it died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0
        self._complaints: IO[bytes] | None = None

    def ask(self, request: Request) -> dict[str, Any]:
        with self._lock:
            process = self._started()
            assert process.stdin is not None and process.stdout is not None
            try:
                process.stdin.write(json.dumps({**_surroundings(), "request": asdict(_absolute(request))}) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
            except BrokenPipeError:
                line = ""
            except BaseException:  # an interruption: its answer would be taken for that of the next question
                self.stop()
                raise
            if not line:
                raise VerificationError(self._death(request))
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise _error(found)
        return found

    def stop(self) -> None:
        """End the process, if this process has started it."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, self._complaints):
            if pipe is not None:
                _close(pipe)

    def _started(self) -> subprocess.Popen[str]:
        if self._process is not None and self._owner == os.getpid() and self._process.poll() is None:
            return self._process
        self.stop()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the process
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "b2nn_tvm.verification.check_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=environment,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # an interruption is this process's to handle
        )
        self._owner = os.getpid()
        return self._process

    def _death(self, request: Request) -> str:
        """Why the process ended without an answer; it is waited for."""
        assert self._process is not None and self._complaints is not None
        status = self._process.wait()
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip().splitlines()
        self.stop()
        if status < 0:
            how = f"ended with the signal {signal.Signals(-status).name}"
        else:
            how = f"ended its process with status {status}{f': {said[-1]}' if said else ''}"
        hint = ", as a division of integers by zero does" if status == -signal.SIGFPE else ""
        return (
            f"{request.what} {how}{hint} when it was run on random inputs; this is a fault of the compiler, please "
            "report it with the file"
        )


def _absolute(request: Request) -> Request:
    """The request with paths that do not depend on the folder in which a process was started."""
    given = (name for name in ("folder", "onnx_path", "arrays", "shows") if getattr(request, name))
    paths = {name: str(Path(getattr(request, name)).absolute()) for name in given}
    return replace(request, **paths)  # type: ignore[arg-type]


def _surroundings() -> dict[str, Any]:
    """What decides where an emulator is looked for; it may have changed since the start of the process."""
    variables = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("B2NN_")}
    return {"folder": os.getcwd(), "variables": variables}


def _close(pipe: IO[Any]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:  # a question that was never read
        return


def _error(found: dict[str, Any]) -> Exception:
    kind, text = found["error"], found["text"]
    if kind == "NoReference":
        return NoReference(text, reason=found["reason"])
    if kind == "Mismatch":
        return Disagrees(text)
    if kind == "Undecided":
        return Undecided(text, found["sides"])
    if kind == "unexpected":
        return VerificationError(f"the check of the library failed: {text}; please report it with the file")
    error: Exception = getattr(errors, kind, VerificationError)(text)
    return error


_worker = _Worker()
atexit.register(_worker.stop)
