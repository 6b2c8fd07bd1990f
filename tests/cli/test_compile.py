"""b2nn-compile on real files, and what it says to bad ones."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

import b2nn_tvm
from tests.support.cli.commands import Run, assert_refused, assert_wrong_usage
from tests.support.cli.graphs import save_graph

NOTE = "note: this library was not checked against the reference ({}); its results may be wrong"


def test_compiles_into_a_folder_and_prints_the_layers(run: Run, small_onnx: Path, tmp_path: Path) -> None:
    done = run("compile", small_onnx, "--target", "native", "-o", "out")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert {"manifest.json", "libb2nn_model.so"} <= {path.name for path in (tmp_path / "out").iterdir()}
    lines = done.stdout.splitlines()
    assert any("stem" in line and "float" in line and "first" not in line for line in lines)
    assert any("block" in line and "binary" in line and "c16" in line for line in lines)
    with b2nn_tvm.load(tmp_path / "out") as artifact:
        assert {row.name: row.precision for row in artifact.layers if row.name in ("stem", "block", "fc")} == {
            "stem": "float",
            "block": "binary",
            "fc": "float",
        }


def test_json_is_all_of_stdout(here: Run, small_onnx: Path, tmp_path: Path) -> None:
    done = here("compile", small_onnx, "-o", "out", "--json", "--bundle")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["kind"], document["format_version"], document["folder"]) == ("b2nn-compile", 1, "out")
    files = {file["name"]: file["size_bytes"] for file in document["bundle"]}
    assert files == {path.name: path.stat().st_size for path in (tmp_path / "out").iterdir()}
    assert {"b2nn-run", "classify.c", "classify.py", "README.txt"} < set(files)
    row = next(row for row in document["layers"] if row["name"] == "block")
    assert row["precision"] == "binary" and row["workload"].startswith("conv2d_n1_c16_h8_w8_o32")
    assert set(row) == {"name", "op", "precision", "reason", "workload", "schedule", "size_bytes", "weight_bytes"}
    sizes = document["sizes"]
    assert sum(sizes.values()) == 2 * sizes["library"] == 2 * (tmp_path / "out" / "libb2nn_model.so").stat().st_size
    (packed,) = [row["weight_bytes"] for row in document["layers"] if row["precision"] == "binary"]
    assert sizes["packed_weights"] == packed
    assert document["memory"]["arena"] > 0
    checked = document["verification"]
    assert (checked["method"], checked["reason"], checked["inputs"]) == ("this library", "", 3)
    assert 0 <= checked["largest_difference"] <= 1e-4
    step = next(step for step in document["steps"] if "binary conv2d" in step["operations"])
    assert step["layer"] == "block" and step["outputs"] == ["float32"] and step["constant_bytes"] >= packed
    assert {"layer": "block", "rule": "ClassifyConvs", "applied": True, "reason": "is binary"} in document["rewrites"]


def test_what_the_data_mean_goes_to_the_board(here: Run, small_onnx: Path, tmp_path: Path) -> None:
    names = [f"class {number}" for number in range(10)]
    (tmp_path / "names").write_text("\n".join(names))
    numbers = ("--mean", "0.5,0.4,0.3", "--std", "0.25", "--resize", "9", "--channels", "bgr", "--labels", "names")
    done = here("compile", small_onnx, "-o", "out", *numbers, "--input", "uint8-nhwc", "--bundle")
    assert done.returncode == 0, done.stderr
    assert "compared with onnxruntime on 3 random inputs" in done.stdout
    assert (tmp_path / "out" / "labels.txt").read_text().splitlines() == names
    assert "its middle of 8x8 pixels is taken, and its bytes" in (tmp_path / "out" / "README.txt").read_text()
    with b2nn_tvm.load(tmp_path / "out") as artifact:
        preprocess = artifact.manifest.preprocess
        assert artifact.manifest.labels == tuple(names)
        assert (preprocess.mean, preprocess.std, preprocess.baked) == ((0.5, 0.4, 0.3), (0.25,) * 3, True)
        assert (preprocess.resize.height, preprocess.crop, preprocess.channels) == (9, (8, 8), "bgr")
        assert [(spec.name, spec.shape, spec.dtype) for spec in artifact.inputs] == [
            (preprocess.input, preprocess.shape, "uint8")
        ]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--input", "uint8-nhwc"), ("neither the metadata", "--mean and --std")),
        (("--mean", "0.5,0.5", "--std", "1"), ("each of the 3 channels", "2 and 3")),
        (("--mean", "0.5", "--std", "0"), ("no deviation of 0",)),
        (("--labels", "nowhere.txt"), ("nowhere.txt", "No such file")),
        (("--multi-level", "--target", "rpi5"), ("no level above it", "leave --multi-level out")),
        (("--labels", "short.txt"), ("there are 2 names", "'output' of float32 1x10")),
    ],
)
def test_what_does_not_fit_the_network_is_refused(
    here: Run, small_onnx: Path, tmp_path: Path, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    (tmp_path / "short.txt").write_text("cat\ndog\n")
    assert_refused(here("compile", small_onnx, "-o", "out", *words), *parts)
    assert os.listdir(tmp_path) == ["short.txt"]


def test_the_folder_is_named_after_model_and_target_by_default(here: Run, small_onnx: Path, tmp_path: Path) -> None:
    done = here("compile", small_onnx, "--no-verify")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "small-native" / "manifest.json").is_file()


def test_dump_ir_writes_what_the_passes_change_by_the_names_of_explain(
    here: Run, small_onnx: Path, tmp_path: Path
) -> None:
    args = ("compile", small_onnx, "-o", tmp_path / "out", "--no-verify", "--target", "x86", "--explain", "--dump-ir")
    done = here(*args, tmp_path / "ir")
    assert done.returncode == 0, done.stderr
    names = {path.name.split("-")[1] for path in (tmp_path / "ir").iterdir()}
    assert {"ConvertLayout", "LowerConv2d", "FuseTIR"} <= names and "LowerConv2d" in done.stdout
    (tmp_path / "ir" / "notes.txt").touch()
    refused = here(*args, tmp_path / "ir")
    assert refused.returncode == 1 and "holds notes.txt; name another folder" in refused.stderr


def test_lists_targets(here: Run) -> None:
    done = here("compile", "--list-targets")
    assert done.returncode == 0, done.stderr
    assert all(word in done.stdout for word in ("also called", "pi4", "cortex-a72", "amd64"))
    assert all(
        any(line.strip("│┃| ").startswith(name) for line in done.stdout.splitlines())
        for name in ("arm", "x86", "native")
    )


def test_cross_builds_for_arm(here: Run, small_onnx: Path, tmp_path: Path) -> None:
    done = here("compile", small_onnx, "--target", "arm", "-o", "out")
    assert done.returncode == 0, done.stderr
    header = (tmp_path / "out" / "libb2nn_model.so").read_bytes()[:20]
    assert header[:5] == b"\x7fELF\x02" and header[18:20] == b"\xb7\x00"  # 64-bit, EM_AARCH64
    line = next(line for line in done.stdout.splitlines() if line.startswith("compared with onnxruntime on "))
    assert "this library, emulated" in line or "the same network on this machine" in line
    assert "note:" not in done.stderr


def test_how_the_library_was_checked_is_printed(here: Run, small_onnx: Path) -> None:
    done = here("compile", small_onnx, "-o", "out")
    assert "compared with onnxruntime on 3 random inputs: this library, largest relative difference " in done.stdout
    assert "note:" not in done.stderr
    unchecked = here("compile", small_onnx, "-o", "out", "--no-verify")
    assert "compared" not in unchecked.stdout
    assert unchecked.stderr.splitlines()[-1] == NOTE.format("--no-verify")


def test_without_onnxruntime_it_says_that_nothing_was_verified(
    here: Run, small_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    done = here("compile", small_onnx, "-o", "out")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == NOTE.format("onnxruntime is not installed (pip install onnxruntime)")
    assert "skipped" not in done.stderr
    assert (tmp_path / "out" / "manifest.json").is_file()


def test_missing_file(here: Run, tmp_path: Path) -> None:
    assert_refused(here("compile", "nothing.onnx", "-o", "out"), "nothing.onnx", "no such file")
    assert os.listdir(tmp_path) == []


def test_a_file_that_is_not_onnx(here: Run, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("this is no network")
    assert_refused(here("compile", "text.onnx", "-o", "out"), "text.onnx", "onnx")
    assert os.listdir(tmp_path) == ["text.onnx"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 44790507\n", ("Git LFS", "git lfs pull")),
        (b"<!DOCTYPE html><html><body>404</body></html>", ("web page", "download")),
        (b"PK\x03\x04" + bytes(200), ("PyTorch", "torch.onnx.export")),
        (b"", ("empty",)),
    ],
    ids=["Git LFS", "HTML", "PyTorch", "empty"],
)
def test_what_a_file_is_that_is_not_onnx(here: Run, tmp_path: Path, content: bytes, words: tuple[str, ...]) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    assert_refused(here("compile", "net.onnx", "-o", "out"), "net.onnx", *words)
    assert os.listdir(tmp_path) == ["net.onnx"]


def test_a_file_in_the_place_of_the_folder_is_refused_before_the_work(
    here: Run, small_onnx: Path, tmp_path: Path
) -> None:
    (tmp_path / "net.py").touch()
    assert_refused(here("compile", small_onnx, "-o", "net.py"), "net.py: expected a folder for the library")


def test_a_huge_dimension_is_refused(here: Run, tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["input"], ["output"])]
    save_graph(tmp_path / "huge.onnx", nodes, {}, [1, 3, 2**31, 8], [1, 3, 2**31, 8])
    assert_refused(here("compile", "huge.onnx", "-o", "out"), "input", "1x3x2147483648x8")
    assert os.listdir(tmp_path) == ["huge.onnx"]


def test_a_shape_without_a_name_and_a_target_by_another_word(here: Run, tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["input"], ["output"])]
    save_graph(tmp_path / "open.onnx", nodes, {}, [1, 3, "h", "w"], [1, 3, "h", "w"])
    done = here("compile", "open.onnx", "--input-shape", "1,3,8,9", "--target", "amd64", "--no-verify")
    assert done.returncode == 0, done.stderr
    with b2nn_tvm.load(tmp_path / "open-x86") as artifact:
        assert artifact.target.name == "x86"
        assert [spec.shape for spec in artifact.manifest.inputs] == [(1, 3, 8, 9)]


def test_unknown_target_lists_the_choices(here: Run, small_onnx: Path, tmp_path: Path) -> None:
    assert_wrong_usage(here("compile", small_onnx, "--target", "vax", "-o", "out"), "'vax'", "arm", "x86", "native")
    assert os.listdir(tmp_path) == []


def test_unsupported_operator_is_named_with_its_node(here: Run, tmp_path: Path) -> None:
    nodes = [helper.make_node("Det", ["input"], ["output"], name="the_determinant")]
    save_graph(tmp_path / "det.onnx", nodes, {}, [1, 4, 4], [1])
    assert_refused(here("compile", "det.onnx", "-o", "out"), "Det", "the_determinant")
    assert os.listdir(tmp_path) == ["det.onnx"]


def test_missing_linker_names_both_remedies(
    here: Run, small_onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setitem(sys.modules, "ziglang", None)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setenv("CC", "")
    assert_refused(here("compile", small_onnx, "--target", "arm", "-o", "out"), "ziglang", "apt")
    assert os.listdir(tmp_path) == ["empty"]


def test_an_existing_library_survives_a_failed_compile(here: Run, small_onnx: Path, tmp_path: Path) -> None:
    assert here("compile", small_onnx, "-o", "out", "--no-verify").returncode == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    (tmp_path / "text.onnx").write_text("this is no network")
    assert_refused(here("compile", "text.onnx", "-o", "out"), "text.onnx")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize(
    "words",
    [
        ("--mean", "0.5"),
        ("--resize", "256"),
        ("--resize", "squash", "--mean", "0.5", "--std", "1"),
        ("--channels", "bgr"),
        ("--std", "red", "--mean", "1"),
        ("--input", "uint8"),
        ("--tune", "-1"),
        ("--input-shape", "input=1x3xq"),
        ("--sign-zero", "0"),
        ("--nonsense",),
    ],
)
def test_wrong_usage_is_status_2(here: Run, small_onnx: Path, words: tuple[str, ...]) -> None:
    done = here("compile", small_onnx, "-o", "out", *words)
    assert done.returncode == 2
    assert words[0] in done.stderr and "Traceback" not in done.stderr


def test_debug_shows_the_traceback(run: Run) -> None:
    done = run("compile", "nothing.onnx", "-o", "out", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr and done.stderr.splitlines()[-1].startswith("error: ")


def test_a_file_as_brevitas_writes_it_is_compiled_and_checked(here: Run, tmp_path: Path) -> None:
    """onnxruntime has no BipolarQuant; the check takes standard operators in its place."""
    constants = {"one": 1, "weight": np.random.default_rng(0).standard_normal((32, 16, 3, 3))}
    nodes = [
        helper.make_node("BipolarQuant", ["input", "one"], ["signs"], domain="onnx.brevitas"),
        helper.make_node("BipolarQuant", ["weight", "one"], ["binary"], domain="onnx.brevitas"),
        helper.make_node("Conv", ["signs", "binary"], ["output"], name="conv", pads=[1, 1, 1, 1]),
    ]
    save_graph(tmp_path / "brevitas.onnx", nodes, constants, [1, 16, 8, 8], [1, 32, 8, 8], domains=("onnx.brevitas",))
    done = here("compile", "brevitas.onnx")
    assert done.returncode == 0, done.stderr
    assert "verify" in done.stderr and "skipped" not in done.stderr
    assert any("conv" in line and " binary" in line and "c16" in line for line in done.stdout.splitlines())


def test_sign_zero_on_a_file_of_opset_11(here: Run, tmp_path: Path) -> None:
    """Behind a ReLU half of what the signs read is exactly 0."""
    constants = {"weight": np.sign(np.random.default_rng(0).standard_normal((32, 16, 3, 3)))}
    nodes = [
        helper.make_node("Relu", ["input"], ["positive"]),
        helper.make_node("Sign", ["positive"], ["signs"]),
        helper.make_node("Conv", ["signs", "weight"], ["output"], name="conv", pads=[1, 1, 1, 1]),
    ]
    save_graph(tmp_path / "old.onnx", nodes, constants, [1, 16, 8, 8], [1, 32, 8, 8], opset=11)
    done = here("compile", "old.onnx", "--sign-zero", "+1")
    assert done.returncode == 0, done.stderr
    assert "verify" in done.stderr and "skipped" not in done.stderr
    assert any("conv" in line and " binary" in line and "c16" in line for line in done.stdout.splitlines())
