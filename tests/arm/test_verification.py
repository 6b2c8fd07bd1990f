"""Compiling for a board runs the very library under the emulator: what is wrong in it alone is found, and where the
emulator gives no answer, the manifest says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from b2nn_tvm.build_for_target import build_for_target
from b2nn_tvm.compiler import compile_model
from b2nn_tvm.deploy.library.describe_library import BuildMetadata
from b2nn_tvm.deploy.library.verification import EMULATED, SAME_NETWORK, Verification
from b2nn_tvm.errors import VerificationError
from b2nn_tvm.frontend.import_onnx import import_onnx
from b2nn_tvm.targets.target import TargetInfo, get
from b2nn_tvm.verification import check_library as checks
from b2nn_tvm.verification.check_library import Source, check_library
from b2nn_tvm.verification.relative_difference import TOLERANCE
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import Network, binary, binary_constants, constant

pytestmark = [pytest.mark.emulated, pytest.mark.usefixtures("run_emulated")]

CONSTANTS = {"w": (8, 4, 3, 3), **binary_constants("u", 6, 8)}
NETWORK = Network("a = Conv (input, w)" + binary("a", "b", "u", 8) + "output = Relu (b)", CONSTANTS)


@pytest.fixture
def check(tmp_path) -> Callable[..., Verification]:
    """A function: (network of the file, target, network that the library is made of=) -> what check_library returns."""

    def check(network: Network, target: TargetInfo, *, library: Network | None = None) -> Verification:
        path = save(tmp_path, network.build())
        right = import_onnx(path)
        made = import_onnx(save(tmp_path, library.build(), "library.onnx")) if library else right
        build_for_target(made, target, tmp_path / "library", metadata=BuildMetadata())
        stand_in = lambda folder: build_for_target(right, get("native"), folder, metadata=BuildMetadata())
        source = Source(path, None, compile_here=lambda file, folder: stand_in(folder))
        return check_library(tmp_path / "library", source, build_stand_in=stand_in, say=lambda phase: None)

    return check


@pytest.mark.parametrize("target", ["arm", "rpi5", "armv7"])
def test_the_very_library_is_run(tmp_path: Path, target: str) -> None:
    seen = []
    path = save(tmp_path, NETWORK.build())
    artifact = compile_model(
        path, target=target, output=tmp_path / "library", progress=lambda phase, *rest: seen.append(phase)
    )
    found = artifact.manifest.verification
    assert (found.method, found.reason, found.inputs) == (EMULATED, "", 1)
    assert 0 <= found.largest_difference <= TOLERANCE
    assert seen[-2:] == [
        "compile: verify: the same network on this machine",
        "compile: verify: the library under the emulator",
    ]


def test_a_library_that_is_wrong_on_the_board_alone_is_refused(check) -> None:
    other = Network(NETWORK.nodes, {**CONSTANTS, "w": 2 * constant("w", (8, 4, 3, 3))})
    with pytest.raises(VerificationError, match="run under the emulator as cortex-a53, disagrees with onnxruntime"):
        check(NETWORK, get("arm"), library=other)


def test_a_library_that_the_cpu_cannot_run_is_refused(check) -> None:
    """Compiled for the Cortex-A76; the oldest CPU of its target is said to be one that lacks what it requires."""
    with pytest.raises(VerificationError, match="fails under the emulator as cortex-a53: .*report it"):
        check(NETWORK, replace(get("rpi5"), emulator="cortex-a53"))


def test_an_emulator_that_takes_too_long_is_given_up(check, monkeypatch) -> None:
    monkeypatch.setattr(checks, "EMULATION_LIMIT_S", 0.001)
    found = check(NETWORK, get("arm"))
    assert (found.method, found.inputs) == (SAME_NETWORK, 3)
    assert found.reason == "emulator:cortex-a53: no result after 0.001 s"


def test_a_cpu_that_the_emulator_does_not_know_is_no_fault_of_the_library(check) -> None:
    found = check(NETWORK, replace(get("arm"), emulator="abacus"))
    assert found.method == SAME_NETWORK and "abacus" in found.reason
