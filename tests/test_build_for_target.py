"""An imported network becomes a library, phase after phase, and is checked before it is put in place."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from b2nn_tvm.build_for_target import build_for_target
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.build_library import RUNTIME_CODE, BuildMetadata
from b2nn_tvm.deploy.library.verification import not_checked
from b2nn_tvm.errors import VerificationError
from b2nn_tvm.frontend.import_onnx import import_onnx
from b2nn_tvm.targets.target import NATIVE, get
from tests.support.networks.onnx_models import model, save
from tests.support.networks.onnx_networks import Network, binary, binary_constants
from tests.support.paths import ROOT


@pytest.fixture
def imported(tmp_path):
    return import_onnx(save(tmp_path, model("output = Relu (input)", inputs="float[1,3] input")))


def test_the_phases_come_in_order_and_the_library_runs(tmp_path, imported):
    said, checked, before = [], [], imported.module

    def check(folder):
        checked.append((folder / "manifest.json").is_file())
        return not_checked("a reason")

    options = {"metadata": BuildMetadata("net", "abc"), "say": said.append, "check": check}
    build_for_target(imported, get(NATIVE), tmp_path / "library", **options)
    assert said == ["rewrite", "schedule", "generate code", "link"]
    assert checked == [True] and imported.module.same_as(before)
    with load(tmp_path / "library") as artifact:
        x = np.array([[-1.0, 0.5, 2.0]], np.float32)
        np.testing.assert_array_equal(artifact.run({"input": x})["output"], [[0, 0.5, 2]])
        assert artifact.manifest.verification.reason == "a reason"


def test_a_library_that_fails_its_check_is_not_put_in_place(tmp_path, imported):
    def check(folder):
        raise VerificationError("it is wrong")

    with pytest.raises(VerificationError, match="it is wrong"):
        build_for_target(imported, get(NATIVE), tmp_path / "library", metadata=BuildMetadata("net", "abc"), check=check)
    assert not (tmp_path / "library").exists()


# Builds a network in a process of its own, and prints how many kernels LLVM compiled and how often a C compiler ran.
BUILD = """
import sys
from b2nn_tvm import compiler
from b2nn_tvm.deploy.codegen import build_kernels
from b2nn_tvm.deploy.library import toolchain
counts = {"kernels": 0, "programs": 0}
def counted(name, function):
    def call(*arguments, **options):
        counts[name] += 1
        return function(*arguments, **options)
    return call
build_kernels.build_lowered_by = counted("kernels", build_kernels.build_lowered_by)
toolchain.Toolchain.run = counted("programs", toolchain.Toolchain.run)
compiler.compile_model(sys.argv[1], target=sys.argv[2], output=sys.argv[3], verify=False).close()
print(*counts.values())
"""


def mixed(second: str) -> Network:
    """Three layers, of which the first is binary, and the second too or not."""
    layers = {
        "binary": binary("a", "b", "u2", 8),
        "float": "b = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (a, w)",
    }
    constants = {"u2": binary_constants("u2", 8, 8), "w": {"w": (8, 8, 3, 3)}}
    nodes = binary("input", "a", "u1", 4) + layers[second] + "c = Relu (b) output = GlobalAveragePool (c)"
    return Network(nodes, {**binary_constants("u1", 8, 4), **constants["u2" if second == "binary" else "w"]})


@pytest.mark.sweep
def test_a_network_is_the_same_whether_its_kernels_were_kept_or_not(tmp_path, monkeypatch):
    """Also where another network with other names for the same values had left them; and then nothing is compiled."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def build(second: str, folder: str) -> tuple[list[int], bytes]:
        path = save(tmp_path, mixed(second).build())
        command = [sys.executable, "-c", BUILD, str(path), "x86", str(tmp_path / folder)]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        return [*map(int, done.stdout.split())], (tmp_path / folder / "libb2nn_model.so").read_bytes()

    (compiled, programs), cold = build("binary", "cold")
    assert compiled > 2 and programs == 2 + len(RUNTIME_CODE)  # the library, the runner, the runtime
    (other, _), _ = build("float", "other")
    assert 0 < other < compiled
    assert build("binary", "warm") == ([0, 1], cold)
    monkeypatch.setenv("B2NN_CACHE_MIB", "0")
    assert build("binary", "off") == ([compiled, 2 + len(RUNTIME_CODE)], cold)
