"""An ssh server that a test may break."""

from __future__ import annotations

import pytest

from tests.support.boards.ssh_server import SshServer


@pytest.fixture
def own_server(ssh_server_programs, monkeypatch) -> SshServer:
    """A server that the test may break."""
    server = SshServer(ssh_server_programs)
    monkeypatch.setenv("B2NN_SSH", server.client)
    yield server
    server.stop()
