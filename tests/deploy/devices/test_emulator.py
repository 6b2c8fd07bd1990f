from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.deploy.devices.emulator import EmulatorDevice
from b2nn_tvm.deploy.latency.measure import measure
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.build_library import build_library
from b2nn_tvm.deploy.library.elf import read_elf
from b2nn_tvm.deploy.library.library_files import LIBRARY, RUNNER
from b2nn_tvm.errors import DeviceError, DeviceLost, InputError
from tests.support.deploy.handmade import KERNELS, expected, program

UDOT = r"""
int scale(void *x, void *c, void *out) {
    (void)x, (void)c, (void)out;
    __asm__ volatile(".inst 0x6e829420" ::: "v0"); /* udot v0.4s, v1.16b, v2.16b of Armv8.2 */
    return 0;
}
int count_tasks(void *out) { *(int *)out = 1; return 0; }
"""


@pytest.fixture(scope="module")
def arm_net(workshop):
    return workshop.build("shift_one", "shift_seven_tasks", name="arm", target="arm")


def test_the_library_is_for_arm_and_old_c_libraries(arm_net):
    manifest = load(arm_net).manifest
    for file in (LIBRARY, RUNNER):
        assert read_elf((arm_net / file).read_bytes()).arch == "aarch64"
    assert manifest.library.glibc
    assert manifest.target.name == "arm"


@pytest.mark.emulated
@pytest.mark.parametrize("cpu", ["cortex-a53", "cortex-a72", "cortex-a76"])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_very_library_runs_on_the_emulated_board(arm_board, arm_net, x, cpu, threads):
    result = EmulatorDevice(cpu).run(load(arm_net), {"input": x}, threads=threads)
    np.testing.assert_array_equal(result["output"], expected(x, shifts=1) + 1)
    assert int(result["tasks"]) == threads


@pytest.mark.emulated
def test_an_instruction_that_the_cpu_lacks_is_caught(arm_board, workshop, x):
    source, kernels, target = workshop.folder / "udot.c", workshop.folder / "udot.o", workshop.target("arm")
    source.write_text(UDOT)
    workshop.compile(target, "-O1", "-fPIC", "-c", str(source), "-o", str(kernels))
    build_library(program(), [kernels.read_bytes()], target, workshop.folder / "udot")
    EmulatorDevice("cortex-a76").run(load(workshop.folder / "udot"), {"input": x})
    with pytest.raises(DeviceError, match="stopped by signal 4; 4 means an instruction that cortex-a72 lacks"):
        EmulatorDevice("cortex-a72").run(load(workshop.folder / "udot"), {"input": x})


@pytest.mark.emulated
def test_errors_of_the_board_come_back(arm_board, workshop, arm_net, x):
    with pytest.raises(InputError, match="missing: input"):
        EmulatorDevice("cortex-a72").run(load(arm_net), {})
    failing = load(workshop.build("fail_if_negative", "shift_one", name="arm-fails", target="arm"))
    step = r"^emulator:cortex-a72: step 1 \(fail_if_negative, layer layer 0\) failed"
    with pytest.raises(DeviceError, match=step) as failed:
        EmulatorDevice("cortex-a72").run(failing, {"input": np.ones_like(x)})
    assert not isinstance(failed.value, DeviceLost)  # the emulator did its work
    with pytest.raises(DeviceLost, match="emulator:abacus: "):
        EmulatorDevice("abacus").run(load(arm_net), {"input": x})


@pytest.mark.emulated
def test_a_run_that_takes_too_long_is_given_up(arm_board, arm_net, x):
    with pytest.raises(DeviceLost, match="emulator:cortex-a72: no result after 0.001 s; use a smaller network"):
        EmulatorDevice("cortex-a72", timeout_s=0.001).run(load(arm_net), {"input": x})


def test_it_gives_no_latency(net):
    with load(net) as artifact, pytest.raises(DeviceError, match="an emulator's time is not a latency"):
        measure(artifact, device="emulator:cortex-a72")


def test_libraries_for_this_machine_are_not_emulated(net, x):
    with (
        load(net) as artifact,
        pytest.raises(DeviceError, match="runs libraries for aarch64, armv7l.*use --device local"),
    ):
        EmulatorDevice("cortex-a72").run(artifact, {"input": x})


@pytest.mark.emulated
def test_armv7_works_too(arm_board, workshop, x):
    """32-bit: another ELF class, other atomics and another calling convention."""
    target = workshop.target("armv7")
    kernels = workshop.folder / "v7.o"
    workshop.compile(target, "-O2", "-fPIC", "-DFACTOR=2.0f", "-c", str(KERNELS), "-o", str(kernels))
    build_library(program("shift_one", "shift_nested"), [kernels.read_bytes()], target, workshop.folder / "v7")
    result = EmulatorDevice("cortex-a7").run(load(workshop.folder / "v7"), {"input": x}, threads=2)
    np.testing.assert_array_equal(result["output"], expected(x, shifts=1) + 1)
