"""One library for all 64-bit Raspberry Pis: it runs sdot where the CPU has it, and nothing that the CPU lacks."""

from __future__ import annotations

import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.deploy.devices.emulator import EmulatorDevice
from b2nn_tvm.deploy.devices.qemu import find_emulator
from b2nn_tvm.deploy.library.library_files import LEVEL_VARIABLE, RUNNER
from b2nn_tvm.deploy.library.verification import EMULATED
from b2nn_tvm.errors import DeviceError
from tests.support.networks.onnx_models import save
from tests.support.networks.three_kinds import assert_adds_up, assert_same, build, described, image

pytestmark = [pytest.mark.emulated, pytest.mark.sweep]


def test_a_raspberry_pi_5_runs_sdot_and_older_ones_do_not(tmp_path, run_emulated, monkeypatch):
    monkeypatch.delenv(LEVEL_VARIABLE, raising=False)
    artifact = compile_model(save(tmp_path, build()), target="arm", multi_level=True, output=tmp_path / "net")
    found = artifact.manifest.verification
    assert (found.method, found.reason) == (EMULATED, "at the levels neon on cortex-a53, neon_dotprod on cortex-a76")
    assert_adds_up(artifact)
    (dotprod,) = artifact.manifest.levels
    assert dotprod.constants == 0 < dotprod.kernel_code  # both lay weights out alike
    emulator = find_emulator("aarch64")
    for cpu, isa in (("cortex-a53", "neon"), ("cortex-a72", "neon"), ("cortex-a76", "neon_dotprod")):
        command = [*emulator.command_line(cpu), artifact.folder / RUNNER]
        assert described(command, env=emulator.environment()) == isa
    expected = run_emulated(artifact.folder, image(), cpu="cortex-a53")
    assert_same(run_emulated(artifact.folder, image(), cpu="cortex-a76"), expected)
    with pytest.raises(DeviceError, match="this CPU lacks atomics"):
        EmulatorDevice("cortex-a53").run(artifact.at_level("neon_dotprod"), image())
