"""What b2nn-device lets others do: files of a connection's own folder, and runs in processes of their own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.deploy.devices.rpc_connection import PROTOCOL
from b2nn_tvm.deploy.library.library_files import ABI_VERSION
from b2nn_tvm.deploy.server import functions
from b2nn_tvm.version import __version__
from tests.support.deploy.handmade import expected

ROOT = Path(__file__).parents[3]
# A board forks, which a process with as many threads as pytest may have should not do.
SERVE = """
import json
from b2nn_tvm.deploy.server.functions import Board
board, effort, answers = Board(), json.dumps({"runs": 2, "warmup": 0}), []
for mode, name in (("run", "net"), ("profile", "net"), ("profile", "net")):
    board.start(name, mode, 2, effort)
    answer = board.poll(name, 30)
    answers.append([answer, board.poll(name, 0)])
words = ["--interleave", "--reference", "net", "--burst-ms", "0.1", "--rounds"]
board.interleave("net", json.dumps([*words, "1"]))
answers.append([board.poll("net", 30), board.poll("net", 0)])
board.interleave("net", json.dumps([*words, "1", "none"]))
answers.append([board.poll("net", 30), board.poll("net", 0)])
board.start("net", "profile", 1, json.dumps({"runs": 1000000}))
answers.append([board.poll("net", 0.2), board.stop()])
board.interleave("net", json.dumps([*words, "1000000"]))
answers.append([board.poll("net", 0.2), board.stop()])
print(json.dumps(answers))
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_comes_in_parts_and_is_given_back(own_folder):
    assert functions.put("net/part", b"ab", False) == functions.put("net/part", b"cd", True) == {}
    assert (own_folder / "net" / "part").read_bytes() == functions.get("net/part") == b"abcd"
    functions.put("net/part", b"new", False)
    assert functions.get("net/part") == b"new"
    functions.forget("net")
    assert list(own_folder.iterdir()) == []


@pytest.mark.parametrize("path", ["/tmp/x", "../x", "net/../../x"])
def test_other_folders_are_none_of_its_business(path):
    for call in (lambda: functions.put(path, b"", False), lambda: functions.get(path), lambda: functions.forget(path)):
        with pytest.raises(ValueError, match="is outside this connection's folder"):
            call()


def test_it_says_who_answers():
    found = functions.Board().hello()
    assert (found["protocol"], found["version"], found["abi"]) == (PROTOCOL, __version__, ABI_VERSION)
    assert found["facts"]["machine"] and json.loads(json.dumps(found)) == found


def test_a_run_that_never_was_can_be_stopped():
    assert functions.Board().stop() == {}


def test_runs_go_on_in_processes_of_their_own(net, x, own_folder):
    shutil.copytree(net, "net")
    x.tofile("net/in0")
    command = [sys.executable, "-c", SERVE]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    (ran, later), (profiled, _), (again, _), (bursts, _), (failed, _), *both = json.loads(done.stdout)
    assert (ran, later) == ({"text": "", "status": 0, "errors": ""},) * 2
    np.testing.assert_array_equal(np.fromfile("net/out0", "float32").reshape(x.shape), expected(x) + 1)
    for answer in (profiled, again):  # each begins its rows anew
        rows = [json.loads(line)["row"] for line in answer["text"].splitlines()]
        assert rows == ["start", "run", "run", "steps", "steps", "end"] and answer["status"] == 0
    rows = [json.loads(line)["row"] for line in bursts["text"].splitlines()]
    assert rows == ["start", "warm", "burst", "burst", "round", "end"] and bursts["status"] == 0
    assert failed["status"] == 1 and failed["text"] == ""
    assert failed["errors"].startswith("error: ./none: expected the library of a compiled network")
    assert [(running["status"], stopped) for running, stopped in both] == [(None, {})] * 2
