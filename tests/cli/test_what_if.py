"""b2nn-profile --what-if and b2nn-compile --binarize on a float file, and what they say to files that do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from b2nn_tvm import load
from b2nn_tvm.costs.table import CostTable
from b2nn_tvm.plan import Plan, Precision
from tests.support.cli.commands import Run, assert_refused
from tests.support.deploy.short_measurements import IN_CHILDREN
from tests.support.networks.float_network import float_network
from tests.support.networks.onnx_models import save

pytestmark = pytest.mark.usefixtures("short_measurements")

LATENCY = "note: for latency only: layers of a float network were made binary without training"


@pytest.fixture(scope="module")
def float_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("onnx"), float_network(), "odd.onnx")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layers = {"stem": Precision.FLOAT, "block.0": Precision.BINARY, "last": Precision.BINARY}
    return Plan(layers, model="odd").save(tmp_path_factory.mktemp("plan") / "plan.json")


def test_prints_both_forms_and_the_front(run: Run, float_onnx: Path) -> None:
    done = run("profile", float_onnx, "--what-if", before="sys.modules['torch'] = None", env=IN_CHILDREN)
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    row = next(line for line in lines if line.startswith("Conv_3 "))
    assert "c8_h9_w8_o8" in row and len([word for word in row.split() if word.lstrip("-").startswith("0.")]) == 3
    assert any(line.startswith("/up/up.0/conv/Conv") and "stays float: grouped convolution" in line for line in lines)
    measured = [line.split() for line in lines if " measured " in f"{line} " and "of 3" in line]
    assert [words[0] for words in measured] == ["0", "3"]
    assert "accuracy of these networks is unknown" in lines[-1]
    assert "compile both networks ..." in done.stderr and "measure the layers in turn ..." in done.stderr


def test_json_and_a_cost_table(here: Run, float_onnx: Path, tmp_path: Path) -> None:
    done = here("profile", float_onnx, "--what-if", "--json", "--costs", "costs.json", "--threads", "2")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["kind"], document["format_version"], document["threads"]) == ("b2nn-what-if", 1, 2)
    assert "unknown" in document["accuracy"] and document["model"] == "odd.onnx"
    layers = {layer["name"]: layer for layer in document["layers"]}
    last = layers["last"]
    assert last["saving_ms"] == pytest.approx(last["float_ms"] - last["binary_ms"])
    assert (layers["/stem/Conv"]["saving_ms"], layers["/stem/Conv"]["reason"]) == (None, "first convolution")
    front = document["front"]
    assert [row["measured"] for row in (front[0], front[-1])] == [True, True]
    table = CostTable.load(tmp_path / "costs.json")
    assert {row.ms for row in table.networks} == {front[0]["ms"], front[-1]["ms"]}
    assert {(row.precision, row.threads) for row in table.layers if row.layer == "last"} == {
        ("float", 2),
        ("binary", 2),
    }


def test_folders_and_files_are_not_confused(here: Run, float_onnx: Path, tmp_path: Path) -> None:
    for words, part in (
        ((float_onnx,), "add --what-if"),
        ((tmp_path, "--what-if"), "a file MODEL.onnx"),
        ((float_onnx, "--what-if", "--runs", "5"), "--runs does not go with --what-if"),
        ((float_onnx, "--what-if", "--costs", "c.json", "--resume"), "--resume does not go with --what-if"),
        ((tmp_path, "--target", "x86"), "--target goes with --what-if"),
        ((tmp_path, "--input-shape", "input=1x3x9x8"), "--input-shape goes with --what-if"),
    ):
        done = here("profile", *words)
        assert done.returncode == 2 and part in " ".join(done.stderr.split()), done.stderr


def test_a_bad_cost_table_is_an_error_before_the_work(here: Run, float_onnx: Path, tmp_path: Path) -> None:
    (tmp_path / "costs.json").write_text("{}")
    done = here("profile", float_onnx, "--what-if", "--costs", "costs.json")
    assert_refused(done, "costs.json", "kind")
    assert "compile" not in done.stderr


def test_a_device_that_cannot_run_the_target(here: Run, float_onnx: Path) -> None:
    assert_refused(here("profile", float_onnx, "--what-if", "--target", "arm"), "64-bit ARM", "x86_64")


def test_an_open_shape_is_fixed(here: Run, tmp_path: Path) -> None:
    network = float_network()
    network.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "h"
    path = save(tmp_path, network, "open.onnx")
    assert_refused(here("profile", path, "--what-if"), "--input-shape input=")
    done = here("profile", path, "--what-if", "--input-shape", "input=1x3x7x8", "--json")
    assert done.returncode == 0, done.stderr
    assert "_h7_w8_" in json.loads(done.stdout)["layers"][0]["workload"]


def test_a_plan_makes_layers_of_a_float_file_binary(here: Run, float_onnx: Path, plan: Path, tmp_path: Path) -> None:
    done = here("compile", float_onnx, "--binarize", plan, "-o", "out", "--json", "--bundle")
    assert done.returncode == 0, done.stderr
    assert any(line.startswith(LATENCY) for line in done.stderr.splitlines())
    document = json.loads(done.stdout)
    assert document["note"].startswith("for latency only: ")
    binary = {row["name"] for row in document["layers"] if row["precision"] == "binary"}
    assert binary == {"Conv_3", "last"}
    assert document["verification"]["method"] == "this library"
    with load(tmp_path / "out") as artifact:
        assert artifact.manifest.build.note == document["note"]
        assert artifact.manifest.build.plan_digest == Plan.load(plan).digest
    assert "It is for latency only" in (tmp_path / "out" / "README.txt").read_text()


def test_a_float_file_by_itself_has_no_such_note(here: Run, float_onnx: Path) -> None:
    done = here("compile", float_onnx, "-o", "out", "--json", "--no-verify")
    assert json.loads(done.stdout)["note"] == "" and LATENCY not in done.stderr


def test_a_plan_that_does_not_fit(here: Run, float_onnx: Path, tmp_path: Path) -> None:
    Plan({"block.1": Precision.BINARY, "grouped": Precision.BINARY}).save(tmp_path / "other.json")
    done = here("compile", float_onnx, "--binarize", "other.json", "-o", "out")
    assert_refused(done, "block.1 (close to it: block.0", "grouped (grouped convolution with fewer than 16")
    assert not (tmp_path / "out").exists()
    assert_refused(here("compile", float_onnx, "--binarize", "nowhere.json", "-o", "out"), "nowhere.json", "plan")
