"""TVM's RPC server in this process, with its socket and its thread in our hands.

What TVM does: ``rpc.Server`` starts a process of its own, in which ``PopenRPCServerState`` opens a socket and starts a
thread that accepts clients and forks a process for each. The thread ends where a client's process crashed, and at no
other time; each client's process inherits the socket.

Why we need it: our functions have to be registered in the serving process; a crashed client must not end the service; a
client that was switched off must not hold the board; and no client's process may keep the port.

When it breaks: see what ``rpc/server.py`` runs in the process that ``rpc.Server`` starts, and how its state names
``sock`` and ``thread``.
"""

from __future__ import annotations

import socket

from tvm.rpc.server import PopenRPCServerState

# A client that is switched off says no goodbye: after a minute of silence its connection ends.
_KEEP_ALIVE = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}


class RpcListener:
    """A listener for clients, from its construction on, in a thread that lives as long as the process."""

    def __init__(self, host: str, port: int, *, tracker: tuple[str, int] | None, key: str) -> None:
        """Raises ValueError where the port is taken, OSError where the address is not this machine's."""
        self._state = PopenRPCServerState(host, port, port + 1, tracker_addr=tracker, key=key, silent=True)
        self._state.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEP_ALIVE.items():
            self._state.sock.setsockopt(socket.IPPROTO_TCP, option, value)

    def is_listening(self) -> bool:
        """Whether the thread still accepts clients."""
        alive: bool = self._state.thread.is_alive()
        return alive

    def close_socket(self) -> None:
        """Give up this process's hold of the port; further calls do no harm."""
        if self._state.sock.fileno() >= 0:
            self._state.sock.close()
