"""An imported network becomes a library, phase after phase, and is checked before it is put in place."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys

import numpy as np
import pytest
import tvm

from b2nn_tvm.build_for_target import build_for_target
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.describe_library import BuildMetadata
from b2nn_tvm.deploy.library.verification import not_checked
from b2nn_tvm.deploy.library.write_sources import RUNTIME_CODE
from b2nn_tvm.errors import ProgramFault, VerificationError
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


NAMED = Network(
    "c = Conv <pads = [1, 1, 1, 1]> (input, w) r = Relu (c) output = Softmax <axis = 1> (r)",
    {"w": (8, 4, 3, 3)},
    "float[1,4,6,6] input",
)


@pytest.fixture
def named(tmp_path):
    built = NAMED.build()
    built.graph.node[0].name = "/trunk/conv.1/Conv"
    return import_onnx(save(tmp_path, built))


def fail_in_convolutions(monkeypatch, place: str, is_convolution) -> None:
    """Let the function at ``place`` fail as TVM does where ``is_convolution`` says so of its arguments."""
    original = pkgutil.resolve_name(place)

    def failing(*arguments, **options):
        if is_convolution(*arguments):
            raise tvm.error.InternalError("Check failed: (it) is false: no convolution\nand more")
        return original(*arguments, **options)

    monkeypatch.setattr(place, failing)


@pytest.mark.parametrize(
    ("place", "is_convolution", "doing"),
    [
        (
            "b2nn_tvm.schedules.schedule_module._schedule",
            lambda schedule, anchor: anchor is not None,
            "scheduling the loops",
        ),
        (
            "b2nn_tvm.deploy.codegen.build_kernels._compile",
            lambda symbol, function, target: len(function.params) > 2,  # with weights
            "generating code",
        ),
    ],
)
def test_a_fault_names_the_layer_of_the_kernel(tmp_path, monkeypatch, named, place, is_convolution, doing):
    """The kernel of the convolution fails in TVM; those of other functions do not."""
    fail_in_convolutions(monkeypatch, place, is_convolution)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # so that no kernel is there yet
    with pytest.raises(ProgramFault) as caught:
        build_for_target(named, get(NATIVE), tmp_path / "library", metadata=BuildMetadata("net", "abc"))
    text = rf"{doing} failed at layer '/trunk/conv.1/Conv' \(the kernel \w*conv2d\w*\): InternalError: Check failed"
    assert re.match(text, str(caught.value))
    assert isinstance(caught.value.__cause__, tvm.error.InternalError) and not (tmp_path / "library").exists()
