"""TVM's RPC server with this project's functions; unlike TVM's own, it leaves no processes and ports behind."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
import threading
from typing import Self

import psutil

from b2nn_tvm.deploy.server import functions as board
from b2nn_tvm.errors import DeviceError
from b2nn_tvm.tvm_internals.rpc_listener import RpcListener
from b2nn_tvm.tvm_internals.temp_folders import temp_folders

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


class Serving:
    """A server from ``__enter__`` to ``__exit__``, for one client at a time, each in a process of its own.

    Raises DeviceError where the port is taken or the address is not this machine's.
    """

    def __init__(self, host: str, port: int, *, tracker: tuple[str, int] | None, key: str) -> None:
        self._host, self._port, self._tracker, self._key = host, port, tracker, key
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        board.register()
        threading.excepthook = self._report
        os.register_at_fork(after_in_child=self._begin_child)
        self._listener = self._listen()
        signal.signal(signal.SIGTERM, lambda *_: self._ended.set())
        return self

    def wait(self) -> None:
        """Serve until SIGTERM or Ctrl-C.

        Where the crash of a client's process ends TVM's listener, the listener is started again.
        """
        while not self._ended.wait(0.5):
            if not self._listener.is_listening():
                self._listener.close_socket()
                self._listener = self._listen()

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        """End all client processes and remove their files; this process ends, too, as TVM's thread never ends."""
        self._ended.set()
        children = psutil.Process().children(recursive=True)
        for child in children:
            child.kill()
        psutil.wait_procs(children, timeout=5)
        for folder in temp_folders():
            shutil.rmtree(folder, ignore_errors=True)
        if kind is None or issubclass(kind, KeyboardInterrupt):
            os._exit(0)

    def _listen(self) -> RpcListener:
        try:
            return RpcListener(self._host, self._port, tracker=self._tracker, key=self._key)
        except (ValueError, OSError) as error:
            reason = "the port is taken" if isinstance(error, ValueError) else error.strerror
            raise DeviceError(
                f"cannot serve on {self._host}:{self._port}: {reason}; is b2nn-device running already? Else choose"
                " another --port"
            ) from None

    def _report(self, arguments: threading.ExceptHookArgs) -> None:
        """Print one line about the error that ended TVM's listener, in place of a traceback."""
        if not self._ended.is_set():
            print(f"note: a connection ended badly: {arguments.exc_value}; serving on", file=sys.stderr, flush=True)

    def _begin_child(self) -> None:
        """Let a client's process end together with the server's process, and close the server's port in it."""
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._listener.close_socket()
