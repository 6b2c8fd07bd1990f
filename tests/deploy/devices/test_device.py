"""What all devices have in common, on this machine and on an emulated one."""

from __future__ import annotations

import platform

import pytest

from b2nn_tvm.deploy.devices.bursts import BurstSettings
from b2nn_tvm.deploy.devices.emulator import EmulatorDevice
from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.deploy.devices.rpc import RpcDevice
from b2nn_tvm.deploy.devices.samples import MeasurementSettings
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.library_files import LEVEL_VARIABLE
from b2nn_tvm.errors import DeviceError
from b2nn_tvm.targets.target import get, host_arch


def test_facts_are_asked_for_once_until_the_device_is_closed():
    with LocalDevice() as device:
        first = device.known_facts()
        assert device.known_facts() is first
        assert device.facts() is not first
    assert device.known_facts() is not first


def test_the_description_has_the_word_that_the_device_was_opened_by():
    with LocalDevice() as device:
        found = device.describe()
    assert (found.name, found.arch, found.emulated) == ("local", host_arch(), False)
    assert device.parallel_devices() == 1 and not device.has_replacements


def test_an_emulated_device_gives_no_times(artifact):
    device = EmulatorDevice("cortex-a72")
    assert device.describe().emulated
    for ask in (
        lambda: device.check(artifact.target),
        lambda: device.sample(artifact, threads=1, effort=MeasurementSettings()),
        lambda: device.interleave([artifact], reference=artifact, threads=1, settings=BurstSettings()),
    ):
        with pytest.raises(DeviceError, match="^emulator:cortex-a72: an emulator's time is not a latency"):
            ask()


def test_code_that_the_device_cannot_run_is_refused_before_anything_is_built():
    foreign = "arm" if platform.machine() != "aarch64" else "x86"
    with pytest.raises(DeviceError, match=f"^local: the code is for target {foreign} "):
        LocalDevice().check(get(foreign))


def test_of_a_library_with_levels_the_one_is_measured_that_the_cpu_has(leveled, monkeypatch):
    monkeypatch.delenv(LEVEL_VARIABLE, raising=False)
    device, free = LocalDevice(), load(leveled)
    better = device.as_run_here(free)
    assert (better.level, better.target.vector, len(better.manifest.steps)) == ("avx512", "avx512", 4)
    assert device.as_run_here(better) is better
    monkeypatch.setenv(LEVEL_VARIABLE, "avx2")
    assert device.as_run_here(free).level == "avx2"


def test_a_board_with_b2nn_device_leaves_the_choice_to_the_library(leveled, x):
    chosen = load(leveled).at_level("avx2")
    with pytest.raises(DeviceError, match="runs the level that the library chooses, not avx2; set B2NN_LEVEL=avx2"):
        RpcDevice("rpc://127.0.0.1:1", timeout_s=1).run(chosen, {"input": x})
