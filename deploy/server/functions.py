"""The functions that b2nn-device offers on this board through TVM's RPC server, which has a process per connection.

Networks arrive as files and run in a process of their own, so that a network that crashes or hangs takes nothing with
it. The functions answer in JSON; an answer with the member ``error`` reports a failure.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from b2nn_tvm.deploy.devices.local import time_instance
from b2nn_tvm.deploy.devices.rpc_connection import PROTOCOL
from b2nn_tvm.deploy.devices.sample_rows import row_of, start_row
from b2nn_tvm.deploy.devices.samples import MeasurementSettings
from b2nn_tvm.deploy.devices.system_facts import read_facts
from b2nn_tvm.deploy.library.artifact import Artifact, load
from b2nn_tvm.deploy.library.c_interface import Instance, Library, aligned_empty
from b2nn_tvm.deploy.library.library_files import ABI_VERSION, RUNNER
from b2nn_tvm.errors import B2nnError
from b2nn_tvm.version import __version__

_FLUSH_S = 0.02  # rows are flushed this rarely, so that their reader does not take CPU time from every single run
_LONGEST_NAP_S = 0.05


class Board:
    """The state of one connection: the process of the run that was started last, and how much of its rows was read."""

    def __init__(self) -> None:
        self._child = 0
        self._read = 0

    def hello(self) -> dict[str, Any]:
        """The versions of this server, and the facts of this machine."""
        return {"protocol": PROTOCOL, "version": __version__, "abi": ABI_VERSION, "facts": dict(read_facts().texts)}

    def start(self, folder: str, mode: str, threads: int, effort: str) -> dict[str, Any]:
        """Start a process with the network in ``folder``.

        The mode "run" computes the outputs of its files in0, in1, ...; the mode "profile" times it with ``effort``,
        the fields of MeasurementSettings as JSON.
        """
        artifact, wanted = load(folder), MeasurementSettings(**json.loads(effort))
        return self._start(folder, lambda: _work(artifact, mode, threads, wanted))

    def interleave(self, folder: str, words: str) -> dict[str, Any]:
        """Start a process of the program b2nn-run in ``folder`` with ``words``, a list in JSON.

        Paths among the words are those in the connection's own folder.
        """
        command = [str(_own(folder) / RUNNER), *json.loads(words)]
        os.chmod(command[0], 0o755)
        return self._start(folder, lambda: _become(command, folder))

    def poll(self, folder: str, wait_s: float) -> dict[str, Any]:
        """The text that the run has printed since the last call, and its status, None as long as it goes on.

        The answer comes when the run has ended or ``wait_s`` seconds have passed. The status of a run that a signal
        ended is the negative number of the signal.
        """
        status, nap, deadline = self._status(), 0.001, time.monotonic() + wait_s
        while status is None and time.monotonic() < deadline:
            time.sleep(nap)
            nap = min(2 * nap, _LONGEST_NAP_S)
            status = self._status()
        with open(Path(folder) / "rows", encoding="utf-8") as rows:
            rows.seek(self._read)
            text = rows.read()
            self._read = rows.tell()
        errors = (Path(folder) / "errors").read_text(encoding="utf-8", errors="replace") if status else ""
        return {"text": text, "status": status, "errors": errors}

    def stop(self) -> dict[str, Any]:
        """End the run, if it still goes on."""
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
            self._child = 0
        return {}

    def _start(self, folder: str, work: Callable[[], int]) -> dict[str, Any]:
        self.stop()
        for name in ("rows", "errors"):
            (Path(folder) / name).write_bytes(b"")
        self._read = 0
        sys.stdout.flush()
        self._child = os.fork()
        if not self._child:
            status = 1
            try:
                status = work()
            finally:
                os._exit(status)
        return {}

    def _status(self) -> int | None:
        if self._child:
            process, status = os.waitpid(self._child, os.WNOHANG)
            if not process:
                return None
            self._child = 0
            return os.waitstatus_to_exitcode(status)
        return 0


def put(path: str, content: bytes, append: bool) -> dict[str, Any]:
    """Write a file in the connection's own folder, or append the next part to it."""
    file = _own(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "ab" if append else "wb") as out:
        out.write(content)
    return {}


def forget(folder: str) -> dict[str, Any]:
    """Remove a folder in the connection's own folder."""
    shutil.rmtree(_own(folder))
    return {}


def get(path: str) -> bytes:
    """The content of a file in the connection's own folder."""
    return _own(path).read_bytes()


def _own(path: str) -> Path:
    """``path``, if it lies in the connection's own folder; raises ValueError otherwise.

    The check is not for safety, as TVM's RPC runs whatever it is sent: it keeps mistakes from doing harm.
    """
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise ValueError(f"{path} is outside this connection's folder")
    return Path(path)


def register() -> None:
    """Offer the functions to TVM's RPC server, under names that begin with ``b2nn.``"""
    from tvm_ffi import register_global_func

    board = Board()
    for function in (board.hello, board.start, board.interleave, board.poll, board.stop, put, forget):
        register_global_func(f"b2nn.{function.__name__}", _answering(function), override=True)
    register_global_func("b2nn.get", get, override=True)


def _answering(function: Callable[..., dict[str, Any]]) -> Callable[..., str]:
    def answer(*arguments: Any) -> str:
        try:
            return json.dumps(function(*arguments))
        except (OSError, ValueError, B2nnError) as error:
            return json.dumps({"error": f"{type(error).__name__}: {error}"})

    return answer


def _work(artifact: Artifact, mode: str, threads: int, effort: MeasurementSettings) -> int:
    """Run or time the network, in a process of its own, and return the exit status of this process.

    The rows and the complaints go into the files rows and errors.
    """
    folder = artifact.folder
    with open(folder / "rows", "w", encoding="utf-8") as rows, open(folder / "errors", "w", encoding="utf-8") as errors:
        try:
            # The library itself checks that the CPU fits; an emulated board's /proc describes another machine.
            library = Library(artifact.library_path, model_id=artifact.manifest.library.model_id)
            instance = library.create(threads=threads)
            if mode == "run":
                _run(artifact, instance)
            else:
                rows.write(start_row(artifact, instance.threads))
                flushed = time.monotonic()
                for sample in time_instance(instance, artifact, effort):
                    rows.write(row_of(sample))
                    if time.monotonic() - flushed > _FLUSH_S:
                        rows.flush()
                        flushed = time.monotonic()
                rows.write('{"row": "end"}\n')
            rows.flush()
            return 0
        except (B2nnError, OSError, MemoryError) as error:
            errors.write(str(error) or type(error).__name__)
            return 1


def _become(command: list[str], folder: str) -> int:
    """Become the program, which writes into the files rows and errors; return 1 where it cannot be started."""
    for descriptor, name in ((1, "rows"), (2, "errors")):
        os.dup2(os.open(Path(folder) / name, os.O_WRONLY), descriptor)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # among them is the connection, which TVM lets children inherit
    try:
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"cannot start {command[0]}: {error.strerror}".encode())
        return 1


def _run(artifact: Artifact, instance: Instance) -> None:
    folder = artifact.folder
    inputs, outputs = [], [aligned_empty(spec.shape, spec.dtype) for spec in artifact.outputs]
    for index, spec in enumerate(artifact.inputs):
        inputs.append(aligned_empty(spec.shape, spec.dtype))
        inputs[-1][...] = np.fromfile(folder / f"in{index}", spec.dtype).reshape(spec.shape)
    instance.run(inputs, outputs)
    for index, array in enumerate(outputs):
        array.tofile(folder / f"out{index}")
