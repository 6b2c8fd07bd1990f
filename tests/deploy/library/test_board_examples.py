"""The examples for boards beside those of a bundle: C++ with CMake, a systemd unit, and onnxruntime."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from b2nn_tvm.deploy.library.bundle import EXAMPLES
from tests.support.deploy.handmade import N, expected
from tests.support.deploy.photo_network import COLORS, MEAN, STD, preprocess
from tests.support.deploy.photos import picture
from tests.support.deploy.runner_process import start
from tests.support.networks.onnx_models import model, save
from tests.support.paths import ROOT


def run(*command: object, **options) -> subprocess.CompletedProcess:
    return subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True, **options)


@pytest.mark.sweep
def test_the_cpp_example_is_built_by_cmake_and_runs(bundle_for, x, tmp_path):
    for tool in ("cmake", "c++"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}; get it with: apt install cmake g++")
    folder = bundle_for("native")
    for name in ("CMakeLists.txt", "classify.cpp"):
        shutil.copy(EXAMPLES / name, tmp_path)
    none = run("cmake", "-S", tmp_path, "-B", tmp_path / "none")
    assert none.returncode and f"compiled network, but '{tmp_path}' has no" in " ".join(none.stderr.split())
    configured = run("cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-DB2NN_FOLDER={folder}")
    assert configured.returncode == 0, configured.stderr
    built = run("cmake", "--build", tmp_path / "build")
    assert built.returncode == 0 and "warning" not in built.stdout + built.stderr, built.stdout + built.stderr
    program = tmp_path / "build" / "classify"
    x.tofile(tmp_path / "image.f32")
    (tmp_path / "labels.txt").write_text("".join(f"label {i}\n" for i in range(N)))
    scores = (expected(x) + 1)[0]
    done = run(program, tmp_path / "image.f32", tmp_path / "labels.txt", 2)
    found = [line.split(": ") for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert [label for label, _ in found] == [f"label {i}" for i in np.argsort(-scores, kind="stable")[:5]]
    assert [float(score) for _, score in found] == pytest.approx(sorted(scores, reverse=True)[:5], rel=1e-4)
    (tmp_path / "short").write_bytes(b"short")
    for words, message in (
        ((), "usage: classify IMAGE [LABELS [THREADS]]"),
        ((tmp_path / "short",), "expected 4000 bytes of float32, not 5"),
        ((tmp_path / "nothing",), f"{tmp_path / 'nothing'}: cannot open this file"),
        ((tmp_path / "image.f32", tmp_path / "labels.txt", 1000), "a bad argument"),
    ):
        done = run(program, *words)
        assert done.returncode == 1 and done.stderr.startswith(f"error: {message}"), done


def test_the_unit_starts_what_there_is(net):
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read_string((EXAMPLES / "b2nn-camera.service").read_text(encoding="utf-8"))
    program, *words = unit["Service"]["ExecStart"].split()
    help_text = start(net, "--help").stdout
    assert Path(program).name == "b2nn-run"
    assert {word for word in words if word.startswith("--")} == {"--camera", "--json", "--top", "--threads"}
    assert all(f"  {word} " in help_text for word in words if word.startswith("--"))
    if shutil.which("systemd-analyze"):
        done = run("systemd-analyze", "verify", "--man=no", EXAMPLES / "b2nn-camera.service")
        wrong = [line for line in done.stderr.splitlines() if "/opt/net/b2nn-run is not executable" not in line]
        assert not any("b2nn-camera.service" in line and "Unknown" in line for line in wrong), done.stderr


@pytest.mark.sweep
def test_onnxruntime_takes_the_same_photos(tmp_path):
    pytest.importorskip("onnxruntime", reason="the example needs it; pip install onnxruntime")
    made = model(
        "output = GlobalAveragePool (input)", {}, inputs="float[1,3,40,50] input", outputs="float[1,3,1,1] output"
    )
    known = {"b2nn.preprocess": json.dumps(preprocess((40, 50))), "b2nn.labels": json.dumps(COLORS)}
    onnx.helper.set_model_props(made, known)
    path = save(tmp_path, made)
    picture(40, 50, seed=5).save(tmp_path / "photo.png")
    command = [sys.executable, EXAMPLES / "classify_onnxruntime.py"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "runtime")}
    done = run(*command, path, tmp_path / "photo.png", env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    means = ((np.asarray(picture(40, 50, seed=5)) / 255 - MEAN) / STD).mean(axis=(0, 1))
    assert done.stdout.split(": ")[1] == ", ".join(f"{COLORS[i]} {means[i]:.3f}" for i in np.argsort(-means)) + "\n"
    refused = run(*command, path, tmp_path / "none.png", env=environment)
    assert refused.returncode == 1 and refused.stderr.startswith("error: ")
    del made.metadata_props[:]
    nothing = run(*command, save(tmp_path, made), tmp_path / "photo.png", env=environment)
    assert nothing.returncode == 1 and "its metadata do not say how a photo becomes the input" in nothing.stderr
