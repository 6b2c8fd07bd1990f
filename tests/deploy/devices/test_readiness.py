"""What is missing on this machine for a target is said with what to do about it."""

from __future__ import annotations

import importlib.util
import platform

import pytest

from b2nn_tvm.deploy.devices.qemu import FOLDER_VARIABLE
from b2nn_tvm.deploy.devices.readiness import readiness
from b2nn_tvm.targets.target import get

FOREIGN = "armv7" if platform.machine() != "armv7l" else "arm"


def test_nothing_is_missing_for_this_machine():
    found = readiness(get("native"))
    assert found.runs and found.compiler and not found.emulator and not found.missing


def test_a_foreign_target_lacks_a_cpu_for_it_and_perhaps_an_emulator():
    found = readiness(get(FOREIGN))
    assert not found.runs and found.missing[0].startswith("to run: a CPU of architecture")
    assert bool(found.emulator) == (len(found.missing) == 1)


def test_what_is_not_there_is_named_with_the_remedies(monkeypatch, tmp_path):
    find = importlib.util.find_spec
    without_zig = lambda name, *rest: None if name == "ziglang" else find(name, *rest)
    monkeypatch.setattr(importlib.util, "find_spec", without_zig)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    found = readiness(get(FOREIGN))
    assert (found.compiler, found.emulator) == ("", "")
    compiler, cpu, emulator = found.missing
    assert (
        compiler.startswith("to compile: ")
        and "apt install gcc-" in compiler
        and "pip install 'b2nn-tvm[cross]'" in compiler
    )
    assert cpu.startswith("to run: ")
    assert emulator.startswith("to emulate: ") and "make arm-emulator" in emulator


@pytest.mark.parametrize("name", ["arm", "rpi5"])
def test_the_emulator_runs_as_the_cpu_of_the_target(name, monkeypatch, tmp_path):
    if platform.machine() == "aarch64":
        pytest.skip("this machine needs no emulator for it")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "qemu-aarch64").touch()
    (tmp_path / "sysroot-aarch64" / "lib").mkdir(parents=True)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert readiness(get(name)).emulator == f"qemu-aarch64 -cpu {get(name).emulator}"
