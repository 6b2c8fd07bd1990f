"""Give up a request to TVM's RPC tracker.

What TVM does: ``TrackerSession.request`` waits for a free board without a limit, reading from ``_sock``, its connection
to the tracker; and the tracker keeps the request as long as the connection is there.

Why we need it: a client that gave up waiting must not be handed a board that others wait for.

When it breaks: see from where ``rpc/client.py`` reads the tracker's answer. Should requests get a time limit, use that
limit.
"""

from __future__ import annotations

import contextlib
import socket

from tvm.rpc.client import TrackerSession


def give_up_request(tracker: TrackerSession) -> None:
    """End the wait of another thread that is in ``tracker.request``; that thread gets an error. Nothing happens where
    the wait has just ended by itself.
    """
    connection = tracker._sock
    if connection is not None:
        with contextlib.suppress(OSError):  # just closed
            connection.shutdown(socket.SHUT_RDWR)  # to close it would not wake the thread that waits
