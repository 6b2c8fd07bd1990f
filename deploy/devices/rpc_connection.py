"""The connection to a board that runs b2nn-device: made at the first call, and lost where no answer comes in time."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable
from types import ModuleType
from typing import Any

from b2nn_tvm.deploy.devices.deadline import call_within
from b2nn_tvm.deploy.devices.device import Device
from b2nn_tvm.deploy.library.library_files import ABI_VERSION
from b2nn_tvm.errors import DeviceError, DeviceLost
from b2nn_tvm.version import __version__

PROTOCOL = 2  # client and board must agree; grows with every change of the functions in deploy/server/functions.py
CONNECT_S = 15
PART_BYTES = 1 << 20


class RpcConnection(Device):
    """A device whose board is reached through TVM's RPC; ``rpc.py`` says what runs there.

    A connection that breaks is closed, and the next call makes a new one, with a new folder on the board.
    """

    def __init__(self, word: str, *, timeout_s: float) -> None:
        super().__init__(word)
        self._address = self._parse(word)
        self._timeout_s = timeout_s
        self._session: Any = None
        self._functions: dict[str, Any] = {}  # the board's functions by name, as the session gave them
        self._uploaded: set[str] = set()  # what is in the connection's folder on the board

    @abstractmethod
    def _parse(self, word: str) -> tuple[str, int]:
        """The host and the port in the device's word; raises DeviceError for a word of another form."""

    def close(self) -> None:
        super().close()
        self._functions = {}
        self._session = None  # TVM then ends the connection, and the board removes the connection's files
        self._uploaded.clear()

    def _put(self, path: str, content: bytes) -> None:
        for at in range(0, max(len(content), 1), PART_BYTES):
            self._ask("put", path, bytearray(content[at : at + PART_BYTES]), at > 0)

    def _ask(self, name: str, *arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._call(name, *arguments))
        if "error" in answer:
            raise DeviceError(f"{self.address}: the board says {answer['error']}")
        return answer

    def _call(self, name: str, *arguments: Any) -> Any:
        """The result of a function of the board; raises DeviceLost where the connection breaks or no answer comes."""
        if self._session is None:
            self._connect()
        try:
            return call_within(self._timeout_s, self._remote(name), *arguments)
        except TimeoutError:
            self._abandon()
            raise DeviceLost(
                f"{self.address}: no answer for {self._timeout_s:g} s; is the board switched on and in reach?"
            ) from None
        except (RuntimeError, AttributeError, OSError) as error:
            self.close()
            raise DeviceLost(
                f"{self.address}: the connection was lost ({_last_line(error)}); see what b2nn-device says there"
            ) from None

    def _remote(self, name: str) -> Callable[..., Any]:
        """A function of the board, which is asked for at its first call.

        It is kept with the session. A function that nobody keeps is destroyed right after its call: TVM then tells the
        board, waits for its answer, and holds Python's lock meanwhile, so that a board that hangs at this moment would
        stop all threads.
        """
        session, functions = self._session, self._functions

        def call(*arguments: Any) -> Any:
            if name not in functions:
                functions[name] = session.get_function(f"b2nn.{name}")
            return functions[name](*arguments)

        return call

    def _abandon(self) -> None:
        """Forget the connection to a board that hangs, but keep its objects: their destructors would wait for it."""
        _abandoned.append((self._session, self._functions))
        self.close()

    def _connect(self) -> None:
        rpc = tvm_rpc()
        try:
            self._session = call_within(CONNECT_S, rpc.connect, *self._address)
        except TimeoutError:
            raise DeviceLost(
                f"{self.address}: no answer for {CONNECT_S} s; b2nn-device serves one client at a time: is another"
                " client connected, or is the board off?"
            ) from None
        except (RuntimeError, OSError) as error:
            raise DeviceError(f"{self.address}: cannot connect: {_last_line(error)}; {self._remedy()}") from None
        self._shake_hands()

    def _remedy(self) -> str:
        port = self._address[1]
        return (
            f'start "b2nn-device --port {port}" on the board; it answers on the board itself only, so forward the port:'
            f' "ssh -N -L {port}:127.0.0.1:{port} user@board"'
        )

    def _shake_hands(self) -> None:
        """Raise DeviceError where the other side is no b2nn-device, or has another version of the protocol."""
        try:
            answer = json.loads(call_within(CONNECT_S, self._remote("hello")))
        except TimeoutError:
            self._abandon()
            raise DeviceLost(f"{self.address}: no answer for {CONNECT_S} s after connecting") from None
        except AttributeError:  # TVM's way to say that the server does not have the function
            self.close()
            raise DeviceError(
                f"{self.address}: a TVM RPC server answers there, but not b2nn-device; start b2nn-device on the board"
                " instead"
            ) from None
        except RuntimeError as error:
            self.close()
            raise DeviceLost(f"{self.address}: the connection was lost ({_last_line(error)})") from None
        theirs = (answer["protocol"], answer["abi"])
        if theirs != (PROTOCOL, ABI_VERSION):
            self.close()
            raise DeviceError(
                f"{self.address}: the board has b2nn-tvm {answer['version']} (protocol {theirs[0]}, C interface"
                f" {theirs[1]}), this machine "
                f"{__version__} (protocol {PROTOCOL}, C interface {ABI_VERSION}); install the same version on both: "
                f'"pip install b2nn-tvm=={__version__}"'
            )


def tvm_rpc() -> ModuleType:
    """``tvm.rpc``, whose import takes seconds; it is imported before the board's time to answer begins."""
    from tvm import rpc

    module: ModuleType = rpc
    return module


_abandoned: list[tuple[Any, dict[str, Any]]] = []


def _last_line(error: Exception) -> str:
    """The last line of an error of TVM, which says what happened."""
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
