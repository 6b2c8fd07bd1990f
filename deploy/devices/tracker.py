"""One of several boards that TVM's RPC tracker hands out by key; another board takes over where one is lost."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from b2nn_tvm.deploy.devices.deadline import call_within
from b2nn_tvm.deploy.devices.device import BOARDS
from b2nn_tvm.deploy.devices.rpc import RpcDevice
from b2nn_tvm.deploy.devices.rpc_connection import CONNECT_S, tvm_rpc
from b2nn_tvm.errors import DeviceError, DeviceLost

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact


class TrackerDevice(RpcDevice):
    """A board of ``tracker://host:port/key``, which is requested at the first use and given back by ``close``."""

    has_replacements = True

    def _parse(self, word: str) -> tuple[str, int]:
        found = re.fullmatch(r"tracker://(\[[0-9A-Fa-f:.%]+\]|[^@:/\s\[\]]+):(\d{1,5})/([\w.-]+)", word)
        if not found:
            raise DeviceError(
                f"expected tracker://host:port/key, such as tracker://127.0.0.1:9190/rpi4, but got {word!r}"
            )
        self.key = found[3]
        return found[1].strip("[]"), int(found[2])

    def run(self, artifact: Artifact, inputs: Mapping[str, np.ndarray], *, threads: int = 1) -> dict[str, np.ndarray]:
        for _ in range(BOARDS - 1):
            with contextlib.suppress(DeviceLost):  # the tracker then hands out another board
                return super().run(artifact, inputs, threads=threads)
        return super().run(artifact, inputs, threads=threads)

    def parallel_devices(self) -> int:
        """The number of boards of this key that the tracker knows, including busy boards."""
        return self._survey()[0]

    def _connect(self) -> None:
        boards, free, keys = self._survey()
        if not boards:
            others = f"it has {', '.join(keys)}" if keys else "no board has come to it"
            raise DeviceError(
                f'{self.address}: the tracker has no board with key {self.key!r}; {others}; start "b2nn-device'
                f' --tracker ... --key {self.key}" on one'
            )
        request = _Request(self._address, self.key)
        try:
            self._session = call_within(self._timeout_s, request.session, tvm_rpc())
        except TimeoutError:
            request.give_up()
            raise DeviceLost(
                f"{self.address}: none of {boards} boards became free within {self._timeout_s:g} s ({free} said that"
                " they were free); wait for the work of other clients, or look after the boards"
            ) from None
        except (RuntimeError, OSError) as error:
            raise DeviceLost(f"{self.address}: the tracker handed out a board that does not answer: {error}") from None
        self._shake_hands()

    def _survey(self) -> tuple[int, int, list[str]]:
        """(the number of boards of this key, how many of them are free, all keys) as the tracker tells."""
        try:
            summary = call_within(CONNECT_S, self._summary, tvm_rpc())
        except (OSError, RuntimeError, TimeoutError) as error:
            raise DeviceError(
                f"{self.address}: no tracker answers there ({error}); start one with "
                f'"python -m tvm.exec.rpc_tracker --host {self._address[0]} --port {self._address[1]}"'
            ) from None
        servers = [info["key"].removeprefix("server:") for info in summary["server_info"]]
        free = summary["queue_info"].get(self.key, {}).get("free", 0)
        return servers.count(self.key), free, sorted(set(servers))

    def _summary(self, rpc: ModuleType) -> dict[str, Any]:
        tracker = _tracker(rpc, self._address)
        try:
            summary: dict[str, Any] = tracker.summary()
            return summary
        finally:
            tracker.close()


class _Request:
    """A request for a board, which can be given up while the tracker has no free board: an abandoned request would take
    a board that others wait for.
    """

    def __init__(self, address: tuple[str, int], key: str) -> None:
        self._address, self._key = address, key
        self._tracker: Any = None
        self._given_up = False

    def session(self, rpc: ModuleType) -> Any:
        """A session with a board; another board is requested where the tracker hands out one that does not answer."""
        for left in reversed(range(BOARDS)):
            self._tracker = _tracker(rpc, self._address)
            try:
                return self._tracker.request(self._key, max_retry=1)
            except RuntimeError:
                if self._given_up or not left:
                    raise
            finally:
                self._tracker.close()
        return None

    def give_up(self) -> None:
        from b2nn_tvm.tvm_internals.tracker_socket import give_up_request

        self._given_up = True
        if self._tracker is not None:
            give_up_request(self._tracker)


def _tracker(rpc: ModuleType, address: tuple[str, int]) -> Any:
    """A connection to the tracker. A plain socket is tried first, as TVM looks for a missing tracker for a minute."""
    socket.create_connection(address, timeout=CONNECT_S).close()
    return rpc.connect_tracker(*address)
