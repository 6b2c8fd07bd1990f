"""A request that waits for a free board ends when it is given up."""

from __future__ import annotations

import socket
import struct
import threading

import pytest
from tvm.rpc import base, client

from b2nn_tvm.tvm_internals.tracker_socket import give_up_request

BREAKS = (
    "TVM waits for the tracker's answer on another socket than TrackerSession._sock: who gave up waiting is handed a"
    " board nevertheless; see b2nn_tvm/tvm_internals/tracker_socket.py"
)


@pytest.fixture
def tracker():
    """A session with a tracker that has no free board: it takes requests, and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepted = []

        def serve():
            connection, _ = server.accept()
            accepted.append(connection)
            connection.sendall(connection.recv(4))  # the magic number of the protocol, back

        thread = threading.Thread(target=serve)
        thread.start()
        session = client.TrackerSession(server.getsockname())
        thread.join(timeout=60)
        yield session, accepted[0]
        session.close()
        accepted[0].close()


def test_the_thread_that_waits_gets_an_error(tracker):
    session, connection = tracker
    outcome = []

    def request():
        try:
            session.request("none", max_retry=1)
        except RuntimeError as error:
            outcome.append(error)

    waiting = threading.Thread(target=request, daemon=True)
    waiting.start()
    (size,) = struct.unpack("<i", base.recvall(connection, 4))
    assert b"none" in base.recvall(connection, size)  # so it waits now
    assert waiting.is_alive() and not outcome
    give_up_request(session)
    waiting.join(timeout=60)
    assert not waiting.is_alive() and len(outcome) == 1, BREAKS


def test_a_session_that_has_ended_is_left_alone(tracker):
    session, _ = tracker
    session.close()
    give_up_request(session)
