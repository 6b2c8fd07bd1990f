"""b2nn-device, and TVM's tracker, as real processes on loopback."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.support.boards.lifetime import die_with_parent
from tests.support.paths import ROOT

START_S = 180  # an emulated one imports TVM for ten seconds and more


class BoardProcess:
    """b2nn-device on ``port``, a free one where none is given; ``before`` is Python that runs first in its process,
    ``command`` starts another interpreter.

    A board has no torch, and TVM's start is three times as slow where there is one.
    """

    def __init__(
        self,
        folder: Path,
        *words: str,
        before: str = "",
        command: tuple[str, ...] = (sys.executable,),
        wait: bool = True,
        port: int | None = None,
        **environment: str,
    ) -> None:
        self.port = port or free_port()
        self.address = f"rpc://127.0.0.1:{self.port}"
        self.temporary = folder / f"board-{self.port}"
        self.temporary.mkdir(exist_ok=True)
        self._log = self.temporary.with_suffix(".log").open("wb")
        code = (
            f"import sys; sys.modules['torch'] = None; {before}\nsys.argv[0] = 'b2nn-device'\nfrom b2nn_tvm.cli.device"
            " import main\nmain()"
        )
        self._process = subprocess.Popen(
            [*command, "-c", code, "--port", str(self.port), *words],
            stdout=subprocess.PIPE,
            stderr=self._log,
            preexec_fn=die_with_parent,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.temporary), **environment},
        )
        self.first_line = ""
        if wait:
            self.ready()

    def ready(self) -> None:
        """Wait until it serves."""
        self.first_line = self._process.stdout.readline().decode()
        if not self.first_line:
            self.stop()
            raise RuntimeError(f"b2nn-device did not start: {self.log}")

    @property
    def log(self) -> str:
        """What it wrote to stderr."""
        return Path(self._log.name).read_text(errors="replace")

    def processes(self) -> list[psutil.Process]:
        """Its own process and all below."""
        own = psutil.Process(self._process.pid)
        return [own, *own.children(recursive=True)]

    def signal(self, number: int) -> None:
        """Send a signal to it and all below, as to a board as a whole."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def left_behind(self, *, wait_s: float = 180) -> list[str]:
        """What is in its folder for temporary files, once it is empty or after a while."""
        deadline = time.monotonic() + wait_s
        while (found := sorted(path.name for path in self.temporary.iterdir())) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def terminate(self) -> int:
        """End it as a system does that shuts down; return its status."""
        self._process.terminate()
        return self._process.wait(60)

    def stop(self) -> None:
        """End all of it, whatever state it is in."""
        if self._process.poll() is None:
            self.signal(signal.SIGKILL)
            self._process.wait()
        self._process.stdout.close()
        self._log.close()


@contextmanager
def tracker() -> Iterator[str]:
    """TVM's tracker; gives its host:port."""
    port = free_port()
    words = [
        sys.executable,
        "-m",
        "tvm.exec.rpc_tracker",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--port-end",
        str(port + 1),
        "--silent",
    ]
    process = subprocess.Popen(words, start_new_session=True, preexec_fn=die_with_parent)
    try:
        deadline = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # it has a worker that would keep the port
        process.wait()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
