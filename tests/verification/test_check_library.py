"""A library is checked by what this machine can run: itself, or the same network."""

from __future__ import annotations

import shutil
import tempfile

import numpy as np
import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.deploy.devices.qemu import FOLDER_VARIABLE
from b2nn_tvm.deploy.library.verification import NOT_CHECKED, SAME_NETWORK, THIS_LIBRARY
from b2nn_tvm.errors import ToolchainError
from b2nn_tvm.targets.target import NATIVE, get
from b2nn_tvm.verification.check_library import find_stand_in
from b2nn_tvm.verification.relative_difference import TOLERANCE
from b2nn_tvm.verification.verify_artifact import INPUTS
from tests.support.networks.onnx_models import model, save
from tests.support.networks.onnx_networks import NETWORKS, Network, binary, binary_constants, constant

SMALL = Network("a = Conv (input, w) output = Relu (a)", {"w": (5, 4, 3, 3)})


@pytest.fixture
def without_emulator(tmp_path_factory, monkeypatch):
    if shutil.which("qemu-aarch64"):
        pytest.skip("this system has an emulator of its own; tests/arm/test_verification.py is about that")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path_factory.mktemp("nothing")))


def test_for_another_machine_the_same_network_is_checked_on_this_one(tmp_path, monkeypatch, without_emulator):
    """What was compiled for this machine does not stay."""
    path = save(tmp_path, NETWORKS["binary in the form of a function"].build())
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    artifact = compile_model(path, target="arm", output=tmp_path / "library")
    assert artifact.target.name == "arm"
    found = artifact.manifest.verification
    assert (found.method, found.inputs) == (SAME_NETWORK, INPUTS)
    assert 0 <= found.largest_difference <= TOLERANCE
    assert found.reason.startswith('there is none for aarch64; get them with "make arm-emulator"')
    assert not [entry for entry in temporary.iterdir() if entry.name.startswith("b2nn-")]


def test_an_operator_that_onnxruntime_has_no_kernel_for_leaves_the_library_unchecked(tmp_path):
    """Acosh of doubles, which the standard allows; the compiler has it."""
    built = model("output = Acosh (input)", inputs="double[1,4,9,7] input", outputs="double[N,C,H,W] output")
    with compile_model(save(tmp_path, built), output=tmp_path / "library") as artifact:
        found = artifact.manifest.verification
        assert found.method == NOT_CHECKED
        assert found.reason.startswith("onnxruntime: it has no kernel for Acosh of these types")
        assert "Acosh" in found.reason and str(tmp_path) not in found.reason


def test_a_binary_convolution_without_a_definition_in_the_file_is_checked_by_the_exporters_own(tmp_path):
    constants = {name: constant(name, value) for name, value in binary_constants("u", 6, 4).items()}
    built = model(binary("input", "output", "u", 4), constants, inputs="float[1,4,9,7] input")
    with compile_model(save(tmp_path, built), output=tmp_path / "library") as artifact:
        assert artifact.manifest.verification.method == THIS_LIBRARY


def test_without_a_compiler_for_this_machine_a_library_for_another_is_not_checked_by_accident(tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    path = save(tmp_path, SMALL.build())
    what = "so the check compiles the network for this machine, too, .*no-such-compiler.*--no-verify"
    with pytest.raises(ToolchainError, match=what):
        compile_model(path, target="arm", output=tmp_path / "library")
    compile_model(path, target="arm", output=tmp_path / "library", verify=False).close()


def test_only_a_library_of_another_machine_needs_a_stand_in():
    assert find_stand_in(get(NATIVE)) is None
    assert find_stand_in(get("arm")).name == NATIVE


NOISE = Network(
    # Two sums of the same products in another order: what they differ by is rounding alone.
    "a = Conv (input, v) b = Gather <axis = 1> (input, order) c = Conv (b, w) d = Sub (a, c)"
    " p = GreaterOrEqual (d, zero) s = Where (p, one, minus) output = Conv (s, signs)",
    {
        "v": (v := constant("v", (40, 4, 3, 3))),
        "w": np.ascontiguousarray(v[:, ::-1]),
        "order": np.array([3, 2, 1, 0]),
        "zero": np.float32(0),
        "one": np.float32(1),
        "minus": np.float32(-1),
        "signs": np.where(constant("signs", (3, 40, 1, 1)) > 0, np.float32(1), np.float32(-1)),
    },
)


@pytest.mark.sweep
def test_where_rounding_decides_every_sign_they_are_seen_in_further_outputs(tmp_path):
    """No input is free of ties, and there are more of them than can be tried."""
    said = []
    path = save(tmp_path, NOISE.build())
    with compile_model(path, output=tmp_path / "library", progress=lambda phase, *_: said.append(phase)) as artifact:
        found = artifact.manifest.verification
    assert (found.method, found.inputs) == (THIS_LIBRARY, INPUTS)
    assert said[-1].endswith("its sides as outputs")
