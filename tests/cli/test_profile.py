"""b2nn-profile on a compiled network, and what it says to bad folders and devices."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from b2nn_tvm import compile_model, load, measure
from b2nn_tvm.costs.table import CostTable
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.devices.system_facts import describe, read_facts
from tests.support.boards.board_process import BoardProcess
from tests.support.cli.commands import Run, assert_refused
from tests.support.cli.graphs import save_graph
from tests.support.deploy.short_measurements import IN_CHILDREN

pytestmark = pytest.mark.usefixtures("short_measurements")


@pytest.fixture(scope="module")
def library(small_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library") / "small"
    compile_model(small_onnx, output=folder, verify=False).close()
    return folder


@pytest.fixture(scope="module")
def library_of_size(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two float convolutions and a binary one between, of some hundred microseconds."""
    draw = np.random.default_rng(0)
    constants = {
        "w1": draw.standard_normal((32, 16, 3, 3)),
        "w2": np.where(draw.random((64, 32, 3, 3)) < 0.5, -1, 1),
        "w3": draw.standard_normal((32, 64, 3, 3)),
        "zero": 0,
        "one": 1,
        "minus": -1,
    }
    nodes = [
        helper.make_node("Conv", ["input", "w1"], ["a"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("GreaterOrEqual", ["a", "zero"], ["positive"]),
        helper.make_node("Where", ["positive", "one", "minus"], ["sign"]),
        helper.make_node("Conv", ["sign", "w2"], ["b"], name="middle", pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["b", "w3"], ["output"], name="last", pads=[1, 1, 1, 1]),
    ]
    folder = tmp_path_factory.mktemp("size")
    path = save_graph(folder / "net.onnx", nodes, constants, [1, 16, 32, 32], [1, 32, 32, 32])
    compile_model(path, output=folder / "net", verify=False).close()
    return folder / "net"


def test_prints_whole_and_layers(run: Run, library: Path) -> None:
    done = run("profile", library, "--runs", "20", env=IN_CHILDREN)
    assert done.returncode == 0, done.stderr
    whole = next(line for line in done.stdout.splitlines() if line.startswith("whole network: "))
    assert all(word in whole for word in ("undisturbed", "95 % interval", "frames per second", "1 thread"))
    observed = next(line for line in done.stdout.splitlines() if line.startswith("observed in "))
    assert all(word in observed for word in ("runs", "median", "p90", "p99", "min", "spread"))
    assert any(line.split()[:2] == ["block", "binary"] and "%" in line for line in done.stdout.splitlines())


def test_json(here: Run, library: Path) -> None:
    done = here("profile", library, "--runs", "20", "--threads", "2", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["kind"], document["format_version"]) == ("b2nn-measurement", 1)
    assert min(document["runs"], document["profiles"]) >= 20 and document["threads"] == 2
    assert 0 < document["low_ms"] <= document["undisturbed_ms"] <= document["high_ms"]
    assert document["disturbance"]["bursts"] > 0 and 0 < document["disturbance"]["quiet"] <= 1
    assert 0 < document["min_ms"] <= document["p10_ms"] <= document["median_ms"] <= document["p90_ms"]
    assert {"stem", "block", "fc"} <= {layer["name"] for layer in document["per_layer"]}
    assert sum(layer["share"] for layer in document["per_layer"]) == pytest.approx(1)


def test_more_threads_than_cpus_get_a_note(here: Run, library: Path) -> None:
    cpus = len(os.sched_getaffinity(0))
    done = here("profile", library, "--runs", "1", "--threads", str(cpus + 1), "--json")
    assert done.returncode == 0, done.stderr
    assert f"note: {cpus + 1} threads share {cpus} CPUs and wait for one another: give --threads {cpus}" in done.stderr


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_it_says_that_the_library_was_not_checked(here: Run, library: Path, words: tuple[str, ...]) -> None:
    done = here("profile", library, "--runs", "5", *words)
    assert done.returncode == 0, done.stderr
    note = "note: this library was not checked against the reference (--no-verify); its results may be wrong"
    assert note in done.stderr.splitlines()
    if words:
        expected = {"method": "not checked", "reason": "--no-verify", "largest_difference": 0, "inputs": 0}
        assert json.loads(done.stdout)["verification"] == expected


def test_a_checked_library_needs_no_such_note(here: Run, small_onnx: Path, tmp_path: Path) -> None:
    compile_model(small_onnx, output=tmp_path / "checked").close()
    done = here("profile", "checked", "--runs", "5", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verification"]["method"] == "this library"
    assert "not checked" not in done.stderr


def test_a_table_says_what_was_measured_on(run: Run, library: Path, ssh) -> None:
    done = run("profile", library, "--runs", "5", "--device", "ssh://raspberrypi.local", env=IN_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert (
        f"device: ssh://raspberrypi.local ({describe('', read_facts()).cpu}, {len(os.sched_getaffinity(0))} CPUs, Linux"
        in done.stdout
    )
    assert ssh.left_behind() == []


def test_times_go_to_a_table_and_a_finished_run_is_kept(here: Run, library: Path, tmp_path: Path) -> None:
    words = ("profile", library, "--runs", "20", "--costs", "costs.json", "--json")
    first = here(*words)
    assert first.returncode == 0, first.stderr
    table = CostTable.load(tmp_path / "costs.json")
    assert {row.layer for row in table.layers} >= {"stem", "block", "fc"} and len(table.networks) == 1
    assert {row.precision for row in table.layers if row.layer == "block"} == {"binary"}
    again = here(*words, "--resume")
    assert json.loads(again.stdout)["per_layer"] == json.loads(first.stdout)["per_layer"]
    assert json.loads(here(*words).stdout)["per_layer"] != json.loads(first.stdout)["per_layer"]


def test_a_run_that_is_interrupted_goes_on(run: Run, library: Path, tmp_path: Path) -> None:
    """Ctrl-C after the third round; it comes in the command's own process."""
    before = (
        "from b2nn_tvm.deploy.latency.burst_record import BurstRecord; add = BurstRecord.add\n"
        "def interrupt(self, row):\n    add(self, row)\n    if len(self.rounds) == 3: raise KeyboardInterrupt\n"
        "BurstRecord.add = interrupt"
    )
    words = ("profile", library, "--runs", "50", "--precision", "50%", "--costs", "costs.json")
    done = run(*words, before=before, env=IN_CHILDREN)
    assert done.returncode == 130 and "add --resume to go on from there" in done.stderr
    kept = CostTable.load(tmp_path / "costs.json").networks[0].runs
    (samples,) = (tmp_path / "costs.json.samples").iterdir()
    before_resume = samples.read_text()
    rows = [json.loads(line) for line in before_resume.splitlines()]
    assert kept > 0 and sum(row.get("network", -1) >= 0 for row in rows) == 3
    done = run(*words, "--resume", "--json", env=IN_CHILDREN)
    assert json.loads(done.stdout)["runs"] > kept and samples.read_text().startswith(before_resume)


def test_a_device_that_is_not_there(here: Run, library: Path) -> None:
    assert_refused(here("profile", library, "--device", "attic"), "attic", "local")


def test_an_emulator_gives_no_times(here: Run, small_onnx: Path, tmp_path: Path) -> None:
    compile_model(small_onnx, target="arm", output=tmp_path / "arm", verify=False).close()
    assert_refused(here("profile", "arm", "--device", "emulator:cortex-a72"), "emulator")


def test_a_library_of_another_architecture(here: Run, small_onnx: Path, tmp_path: Path) -> None:
    compile_model(small_onnx, target="arm", output=tmp_path / "arm", verify=False).close()
    assert_refused(here("profile", "arm"), "64-bit ARM", "x86_64")


def test_a_folder_without_a_library(here: Run, tmp_path: Path) -> None:
    assert_refused(here("profile", tmp_path), "manifest.json")
    assert_refused(here("profile", "nowhere"), "nowhere")


def test_a_damaged_library(here: Run, library: Path, tmp_path: Path) -> None:
    shutil.copytree(library, tmp_path / "copy")
    path = tmp_path / "copy" / "libb2nn_model.so"
    path.write_bytes(path.read_bytes()[:-1])
    assert_refused(here("profile", "copy"), "damaged")


def test_wrong_usage_is_status_2(here: Run, library: Path) -> None:
    assert here("profile", library, "--runs", "0").returncode == 2
    assert here("profile").returncode == 2
    assert here("profile", library, "--resume").returncode == 2
    assert here("profile", library, "--timeout", "0").returncode == 2


@pytest.mark.sweep
def test_ssh_and_rpc_give_the_table_that_this_machine_gives(library_of_size: Path, ssh, tmp_path: Path) -> None:
    """The same kernels on the same CPU: what differs is the process they run in, and who looks on. Devices take turns,
    as what else the machine does changes by the second.
    """
    board = BoardProcess(tmp_path)
    words = ("local", ssh.address, board.address)
    try:
        with load(library_of_size) as artifact, ExitStack() as stack:
            devices = {word: stack.enter_context(open_device(word)) for word in words}
            turns = [{word: measure(artifact, device=devices[word], runs=60) for word in words} for _ in range(5)]
    finally:
        board.stop()
    least = {word: min(turn[word].min_ms for turn in turns) for word in words}
    layers = {
        word: [min(rows, key=lambda row: row.min_ms) for rows in zip(*(turn[word].per_layer for turn in turns))]
        for word in words
    }
    for word in words[1:]:
        assert least[word] == pytest.approx(least["local"], rel=0.5), word
        assert [row.name for row in layers[word]] == [row.name for row in layers["local"]]
        for there, here in zip(layers[word], layers["local"]):
            if here.share > 0.05:  # smaller ones last microseconds
                assert there.min_ms == pytest.approx(here.min_ms, rel=0.6), (word, here.name)
                assert there.share == pytest.approx(here.share, abs=0.1), (word, here.name)
