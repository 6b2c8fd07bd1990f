"""Where QEMU is found, and how a program is started under it."""

from __future__ import annotations

import subprocess

import pytest

from b2nn_tvm.deploy.devices.qemu import FOLDER_VARIABLE, Emulator, find_emulator
from b2nn_tvm.errors import DeviceError


def test_a_missing_emulator_is_an_error_with_remedies(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DeviceError, match=r'"make arm-emulator", or with "apt install qemu-user libc6-arm64-cross"'):
        find_emulator("aarch64")


@pytest.mark.parametrize(("arch", "program"), [("aarch64", "qemu-aarch64"), ("armv7l", "qemu-arm")])
def test_the_folder_that_make_fills_comes_before_the_system(monkeypatch, tmp_path, arch, program):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / program).touch()
    (tmp_path / f"sysroot-{arch}" / "lib").mkdir(parents=True)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    found = find_emulator(arch)
    assert found.command_line("cortex-a7") == [
        *(str(tmp_path / "bin" / program), "-cpu", "cortex-a7"),
        *("-L", str(tmp_path / f"sysroot-{arch}"), "-U", "LD_LIBRARY_PATH"),
    ]
    assert found.environment()["LD_LIBRARY_PATH"] == str(tmp_path / "lib")


def test_a_program_runs_on_a_cpu_within_a_time(tmp_path):
    program = tmp_path / "qemu-arm"
    program.write_text(
        "#!/bin/sh\necho $2 $7 $LD_LIBRARY_PATH; echo complaint >&2; [ -z $8 ] || exec sleep $8; exit 3\n"
    )
    program.chmod(0o755)
    emulator = Emulator(program, tmp_path, tmp_path / "lib")
    done = emulator.run("cortex-a7", ["program"])
    assert (done.stdout, done.stderr, done.returncode) == (f"cortex-a7 program {tmp_path}/lib\n", "complaint\n", 3)
    with pytest.raises(subprocess.TimeoutExpired):
        emulator.run("cortex-a7", ["program", "600"], timeout_s=0.1)


@pytest.mark.parametrize(
    ("text", "version"), [("qemu-arm version 8.2.2 (Debian 1:8)", 8), ("version 10.0.2", 10), ("", 0)]
)
def test_the_version_is_what_the_program_prints(tmp_path, text, version):
    program = tmp_path / "qemu-arm"
    program.write_text(f"#!/bin/sh\necho '{text}'\n")
    program.chmod(0o755)
    assert Emulator(program, tmp_path, None).version == version


def test_other_architectures_are_refused():
    with pytest.raises(
        DeviceError, match="runs libraries for aarch64, armv7l, but this one is for x86_64; use --device"
    ):
        find_emulator("x86_64")
