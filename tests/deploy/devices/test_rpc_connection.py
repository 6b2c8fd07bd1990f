"""The connection to a board: one that is no b2nn-device, has another version or hangs is an error that says so."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.errors import DeviceError, DeviceLost
from tests.support.boards.board_process import free_port
from tests.support.deploy.handmade import expected


def test_another_version_is_refused_with_both_versions(start_board):
    board = start_board(before="from b2nn_tvm.deploy.server import functions; functions.PROTOCOL = 99")
    with (
        open_device(board.address) as device,
        pytest.raises(DeviceError, match=r'protocol 99.*install the same version on both: "pip'),
    ):
        device.describe()


def test_tvms_own_server_is_told_from_ours(tmp_path):
    port = free_port()
    code = (
        f"from tvm.rpc.server import PopenRPCServerState as S; S('127.0.0.1', {port}, {port + 1}, silent=True);"
        " print(flush=True)"
    )
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=tmp_path)
    server.stdout.readline()
    try:
        with (
            open_device(f"rpc://127.0.0.1:{port}") as device,
            pytest.raises(DeviceError, match="but not b2nn-device; start b2nn-device"),
        ):
            device.describe()
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def test_a_connection_that_was_closed_is_made_anew(board, artifact, x):
    with open_device(board.address) as device:
        for _ in range(2):
            np.testing.assert_array_equal(device.run(artifact, {"input": x})["output"], expected(x) + 1)
            device.close()
            assert board.left_behind() == []


def test_a_connection_that_breaks_is_lost(start_board):
    board = start_board()
    with open_device(board.address) as device:
        device.facts()
        board.processes()[1].send_signal(signal.SIGKILL)
        with pytest.raises(DeviceLost, match=f"^{board.address}: the connection was lost"):
            device.facts()
