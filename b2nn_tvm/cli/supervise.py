"""A command that works in a process of its own, under limits of memory and time.

The process that the user started only watches. So a crash in a library, or the system that kills what takes too much
memory, becomes one line like every other failure, and nothing stays behind. The fork comes before anything large is
imported, so it costs nothing; the terminal, its signals, progress and output are those of both processes.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from b2nn_tvm.cli.command import Command
from b2nn_tvm.cli.limits import memory_limit, time_limit
from b2nn_tvm.cli.process.streams import streams
from b2nn_tvm.cli.process_tree import kill_tree, resident_bytes

LOOK_S = 0.05  # between two looks at the memory
_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
_ENDS = {signal.SIGTERM, signal.SIGHUP}


class SupervisedCommand(Command):
    """A Command whose options are those of limits.py as well. ``output`` is the folder that a call writes, from its
    parameters.

    A call with arguments in Python, as tests make it, works in the process of the caller and without limits.
    """

    def __init__(self, *args: Any, output: Callable[[dict[str, Any]], Path | None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._output = output

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        if args is not None:
            return super().main(args, *more, **options)
        with streams():
            return self._watched(*more, **options)

    def _watched(self, *more: Any, **options: Any) -> Any:
        """As ``main``, in a process of its own."""
        arguments = sys.argv[1:]
        try:
            context = self.make_context(self.name, list(arguments), resilient_parsing=True)
        except click.ClickException:  # the work itself will say what is wrong
            return super().main(arguments, *more, **options)
        limits = memory_limit(context), time_limit(context)
        remove_unfinished = self._unfinished(context)  # it looks at what is there before the work begins
        with _scratch() as scratch:
            sys.stdout.flush()
            sys.stderr.flush()
            watcher = os.getpid()
            pid = _fork()
            if pid == 0:
                _begin(scratch, watcher)
                return super().main(arguments, *more, **options)
            status = _Watch(pid, *limits, remove_unfinished).wait()
        sys.exit(status)

    def _unfinished(self, context: click.Context) -> Callable[[], None]:
        """A function that removes what a killed process has left in the folder of its output."""
        folder = self._output(context.params)
        if folder is None:
            return lambda: None
        before = set(folder.glob(".build.*")) if folder.is_dir() else None

        def remove() -> None:
            for path in set(folder.glob(".build.*")) - (before or set()):
                shutil.rmtree(path, ignore_errors=True)
            if before is None and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

        return remove


def _fork() -> int:
    try:
        return os.fork()
    except OSError as error:
        text = f"no process can be started for the work: {error.strerror}"
        raise OSError(error.errno, text) from None


def _begin(scratch: str, watcher: int) -> None:
    """What the process that works does first."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD, *_ENDS})
    os.environ["TMPDIR"] = tempfile.tempdir = scratch
    if sys.platform == "linux":  # without its watcher it would run without limits
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != watcher:
        os._exit(1)


@contextlib.contextmanager
def _scratch() -> Iterator[str]:
    """A folder for all temporary files of the work, with the signals blocked that the watcher waits for.

    In the process that works, which leaves this context as well, nothing is removed.
    """
    owner = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, *_ENDS})
    folder = tempfile.mkdtemp(prefix="b2nn-")
    try:
        yield folder
    finally:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)


class _Watch:
    """Watches the process ``pid``, which may take ``memory`` bytes and ``seconds`` (infinity: as much as it likes)."""

    def __init__(self, pid: int, memory: float, seconds: float, remove_unfinished: Callable[[], None]) -> None:
        self._pid, self._memory, self._seconds = pid, memory, seconds
        self._remove_unfinished = remove_unfinished
        self._end = time.monotonic() + seconds

    def wait(self) -> int:
        """The exit status for the command, after the error was printed where it is not the process's own."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interruption reaches the process that works, too
        while True:
            received = signal.sigtimedwait({signal.SIGCHLD, *_ENDS}, LOOK_S)
            ended, status = os.waitpid(self._pid, os.WNOHANG)
            if ended:
                return self._ended(os.waitstatus_to_exitcode(status))
            if received is not None and received.si_signo in _ENDS:
                self._kill()
                return 128 + int(received.si_signo)
            if resident_bytes(self._pid) > self._memory:
                return self._stop(
                    f"this needs more than {_size(self._memory)} of memory; give it more with --memory-limit, "
                    "or make the inputs of the network smaller with --input-shape"
                )
            if time.monotonic() > self._end:
                return self._stop(f"this takes longer than {self._seconds:g} s; give it more time with --time-limit")

    def _ended(self, status: int) -> int:
        if status >= 0:
            return status
        self._remove_unfinished()
        name = signal.Signals(-status).name
        if -status == signal.SIGKILL:
            return _error(
                "the compiler was killed, most likely because the system ran out of memory; see --memory-limit"
            )
        return _error(f"the compiler ended with the signal {name}; this is a fault, please report it with the file")

    def _stop(self, text: str) -> int:
        self._kill()
        return _error(text)

    def _kill(self) -> None:
        kill_tree(self._pid)
        os.waitpid(self._pid, 0)
        self._remove_unfinished()


def _size(count: float) -> str:
    return f"{count / 2**30:.3g} GiB" if count >= 2**30 else f"{count / 2**20:.3g} MiB"


def _error(text: str) -> int:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K\x1b[?25h", err=True, nl=False)  # the line and the cursor that a drawing has left
    click.echo(f"error: {text}", err=True)
    return 1
