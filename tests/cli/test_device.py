"""b2nn-device: what it serves, and what it refuses to open to others."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import psutil
import pytest

from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.version import __version__
from tests.support.boards.board_process import BoardProcess
from tests.support.cli.commands import Run, assert_refused


def test_other_machines_need_an_explicit_flag(here: Run) -> None:
    done = here("device", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "lets other machines run any code on this board; add --trust-network" in " ".join(done.stderr.split())
    assert "ssh -N -L 9090:127.0.0.1:9090" in " ".join(done.stderr.split())


def test_with_the_flag_it_warns(tmp_path: Path) -> None:
    board = BoardProcess(tmp_path, "--host", "0.0.0.0", "--trust-network")
    try:
        assert board.log == f"warning: every machine that reaches 0.0.0.0:{board.port} can run any code on this board\n"
        listening = [each.laddr.ip for each in psutil.Process(board.processes()[0].pid).net_connections(kind="tcp")]
        assert listening == ["0.0.0.0"]
        with open_device(board.address) as device:
            assert device.describe().cpus > 0
    finally:
        board.stop()


def test_a_script_reads_where_it_serves_and_ends_it(tmp_path: Path) -> None:
    """The document is on the first line, as the command does not end by itself."""
    board = BoardProcess(tmp_path, "--json")
    try:
        head, found = (
            {"kind": "b2nn-device", "format_version": 1, "tool_version": __version__},
            json.loads(board.first_line),
        )
        served = {"host": "127.0.0.1", "port": board.port, "tracker": None, "key": None}
        assert found == {**head, **served, "process_id": board.processes()[0].pid}
        assert list(found)[:3] == list(head) and board.log == ""
        assert board.terminate() == 0
    finally:
        board.stop()


def test_a_port_that_is_taken(run: Run) -> None:
    """The error is on stdout as JSON, too."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("device", "--json", "--port", taken.getsockname()[1])
    found = json.loads(done.stdout)["error"]
    assert (found["kind"], found["status"], done.stderr) == ("DeviceError", 1, f"error: {found['message']}\n")
    done.stdout = ""
    assert_refused(done, "the port is taken", "choose another --port")


def test_a_device_to_compile_for_needs_tuning(here: Run) -> None:
    done = here("compile", "net.onnx", "--device", "ssh://pi@board")
    assert done.returncode == 2 and "--device says where --tune measures" in done.stderr


@pytest.mark.parametrize(
    "words", [("--tracker", "desk:9190"), ("--key", "rpi4"), ("--tracker", "desk", "--key", "rpi4"), ("--port", "0")]
)
def test_wrong_usage_is_status_2(here: Run, words: tuple[str, ...]) -> None:
    assert here("device", *words).returncode == 2
