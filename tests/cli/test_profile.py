"""b2nn-profile on a compiled network, and what it says to bad folders and devices."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from b2nn_tvm import compile_model
from tests.cli.conftest import Run, assert_refused


@pytest.fixture(scope="module")
def library(small_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library") / "small"
    compile_model(small_onnx, output=folder, verify=False).close()
    return folder


def test_prints_whole_and_layers(run: Run, library: Path) -> None:
    done = run("profile", library, "--runs", "20")
    assert done.returncode == 0, done.stderr
    whole = next(line for line in done.stdout.splitlines() if line.startswith("whole network: "))
    assert all(word in whole for word in ("median", "p10", "p90", "min", "20 runs", "1 thread"))
    assert any("block" in line and "%" in line for line in done.stdout.splitlines())


def test_json(run: Run, library: Path) -> None:
    done = run("profile", library, "--runs", "20", "--threads", "2", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["runs"], document["threads"]) == (20, 2)
    assert 0 < document["min_ms"] <= document["p10_ms"] <= document["median_ms"] <= document["p90_ms"]
    assert {"stem", "block", "fc"} <= {layer["name"] for layer in document["per_layer"]}
    assert sum(layer["share"] for layer in document["per_layer"]) == pytest.approx(1)


def test_a_device_that_is_not_there(run: Run, library: Path) -> None:
    assert_refused(run("profile", library, "--device", "attic"), "attic", "local")


def test_an_emulator_gives_no_times(run: Run, small_onnx: Path, tmp_path: Path) -> None:
    compile_model(small_onnx, target="arm", output=tmp_path / "arm", verify=False).close()
    assert_refused(run("profile", "arm", "--device", "emulator:cortex-a72"), "emulator")


def test_a_library_of_another_architecture(run: Run, small_onnx: Path, tmp_path: Path) -> None:
    compile_model(small_onnx, target="arm", output=tmp_path / "arm", verify=False).close()
    assert_refused(run("profile", "arm"), "aarch64")


def test_a_folder_without_a_library(run: Run, tmp_path: Path) -> None:
    assert_refused(run("profile", tmp_path), "manifest.json")
    assert_refused(run("profile", "nowhere"), "nowhere")


def test_a_damaged_library(run: Run, library: Path, tmp_path: Path) -> None:
    shutil.copytree(library, tmp_path / "copy")
    path = tmp_path / "copy" / "libb2nn_model.so"
    path.write_bytes(path.read_bytes()[:-1])
    assert_refused(run("profile", "copy"), "damaged")


def test_wrong_usage_is_status_2(run: Run, library: Path) -> None:
    assert run("profile", library, "--runs", "0").returncode == 2
    assert run("profile").returncode == 2
