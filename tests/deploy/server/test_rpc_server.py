"""b2nn-device as a server: whom it serves, and that nothing of it stays, neither processes nor files nor its port."""

from __future__ import annotations

import socket
import subprocess
import sys

import psutil
import pytest

from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.devices.samples import MeasurementSettings
from b2nn_tvm.errors import DeviceLost
from b2nn_tvm.targets import target as targets

ENDLESS = MeasurementSettings(runs=1_000_000, warmup=0)


def test_it_serves_this_machine_alone_unless_told(board):
    assert board.first_line.startswith(f"serving on 127.0.0.1:{board.port}; Ctrl-C ends it")
    own = psutil.Process(board.processes()[0].pid)
    listening = [each.laddr for each in own.net_connections(kind="tcp") if each.status == psutil.CONN_LISTEN]
    assert listening == [("127.0.0.1", board.port)]


def test_it_ends_when_the_system_shuts_down(start_board, artifact):
    board = start_board()
    with open_device(board.address) as device:
        next(device.sample(artifact, threads=1, effort=ENDLESS))
        running = board.processes()
        assert board.terminate() == 0 and "Traceback" not in board.log
        _, alive = psutil.wait_procs(running, timeout=180)
        assert not alive and board.left_behind() == []
        socket.create_server(("127.0.0.1", board.port)).close()  # the port is free again


def test_a_client_that_is_killed_leaves_nothing(board, net):
    code = f"""
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.build_library import build_library
from b2nn_tvm.deploy.library.library_files import LIBRARY
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.devices.samples import MeasurementSettings
device = open_device({board.address!r})
for _ in device.sample(load({str(net)!r}), threads=1, effort=MeasurementSettings(runs=1000000)):
    print("running", flush=True)
"""
    client = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=targets.__file__.rpartition("/targets/")[0]
    )
    assert client.stdout.readline() == b"running\n"
    client.kill()
    client.wait()
    client.stdout.close()
    assert board.left_behind() == []
    assert len(board.processes()) == 1


def test_only_one_is_served_at_a_time(board, artifact, monkeypatch):
    monkeypatch.setattr("b2nn_tvm.deploy.devices.rpc_connection.CONNECT_S", 1)
    with open_device(board.address) as first, open_device(board.address) as second:
        first.describe()
        with pytest.raises(DeviceLost, match="no answer for 1 s; b2nn-device serves one client at a time"):
            second.describe()
