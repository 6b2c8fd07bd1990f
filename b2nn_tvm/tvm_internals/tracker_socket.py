"""A request to TVM's RPC tracker that can be given up.

What TVM does: ``TrackerSession.request`` waits for a free board without a limit, reading from ``_sock``, its connection
to the tracker; and the tracker keeps the request as long as the connection is there.
Why we need it: who gave up waiting must not be handed a board that others wait for.
When it breaks: see what ``rpc/client.py`` reads the tracker's answer from. Should requests get a time limit, use that.
"""

from __future__ import annotations

import contextlib
import socket

from tvm.rpc.client import TrackerSession


def give_up_request(tracker: TrackerSession) -> None:
    """End the wait of another thread that is in ``tracker.request``; it gets an error. Nothing happens where it has
    just ended by itself.
    """
    connection = tracker._sock
    if connection is not None:
        with contextlib.suppress(OSError):  # just closed
            connection.shutdown(socket.SHUT_RDWR)  # to close it would not wake the thread that waits
