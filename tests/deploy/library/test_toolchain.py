from __future__ import annotations

import importlib.util
import os
import platform
import sys
from dataclasses import replace

import pytest

from b2nn_tvm.deploy.library.toolchain import find_toolchain
from b2nn_tvm.errors import ToolchainError
from b2nn_tvm.targets import target as targets

HERE = replace(targets.get("x86"), arch=platform.machine())
ELSEWHERE = targets.get("arm" if platform.machine() != "aarch64" else "armv7")


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """An empty PATH and no $CC; call it to put tools there."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)

    def add(*names: str) -> None:
        for name in names:
            (tmp_path / name).write_text(
                f"#!/bin/sh\necho '{name} 1.0'\necho 'in {name}: fatal error: stop' >&2\n[ $1 = --version ]\n"
            )
            (tmp_path / name).chmod(0o755)

    return add


@pytest.fixture
def no_zig(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "ziglang" else find(name, *rest)
    )


def names(target) -> str:
    return os.path.basename(find_toolchain(target).command[0])


def test_this_machine_is_served_by_its_own_compiler(tools, monkeypatch):
    tools("clang")
    assert names(HERE) == "clang"
    tools("cc", "mycc")
    assert names(HERE) == "cc"
    monkeypatch.setenv("CC", "mycc -m64")
    found = find_toolchain(HERE)
    assert (found.command, found.version) == (("mycc", "-m64"), "mycc 1.0")


def test_a_compiler_is_asked_once_until_it_is_replaced(tools, tmp_path):
    tools("cc")
    assert find_toolchain(HERE) is find_toolchain(HERE)
    (tmp_path / "cc").write_text("#!/bin/sh\necho 'cc 2.0'\n")
    os.utime(tmp_path / "cc", ns=(0, 1))
    assert find_toolchain(HERE).version == "cc 2.0"


def test_other_machines_are_served_by_the_gnu_cross_compiler_without_zig(tools, no_zig, monkeypatch):
    tools("cc", f"{ELSEWHERE.gnu_prefix}gcc")
    monkeypatch.setenv("CC", "cc")
    assert names(ELSEWHERE) == f"{ELSEWHERE.gnu_prefix}gcc"


def test_a_compiler_for_other_machines_can_be_named(tools, monkeypatch):
    tools("mycross")
    monkeypatch.setenv("B2NN_CC", "mycross --sysroot=/board")
    assert find_toolchain(ELSEWHERE).command == ("mycross", "--sysroot=/board")
    monkeypatch.setenv("B2NN_CC", "/no/such/cc")
    with pytest.raises(ToolchainError, match="'/no/such/cc' does not start.*B2NN_CC for another machine"):
        find_toolchain(ELSEWHERE)


@pytest.mark.skipif(
    not importlib.util.find_spec("ziglang"), reason="needs ziglang; get it with: pip install 'b2nn-tvm[cross]'"
)
def test_zig_serves_other_machines_and_those_without_a_compiler(tools):
    tools(f"{ELSEWHERE.gnu_prefix}gcc")
    for target in (HERE, ELSEWHERE):
        found = find_toolchain(target)
        assert found.command == (
            sys.executable,
            "-m",
            "ziglang",
            "cc",
            "-target",
            target.zig_target,
            f"-mcpu={target.zig_mcpu}",
        )
        assert found.version.startswith("zig 0.") and found.version.endswith("(Python package ziglang)")


def test_without_any_the_error_names_the_remedies(tools, no_zig):
    with pytest.raises(
        ToolchainError,
        match='aarch64-linux-gnu-gcc.*"apt install gcc-aarch64-linux-gnu" or "pip install \'b2nn-tvm\\[cross\\]\'"',
    ):
        find_toolchain(ELSEWHERE)
    with pytest.raises(ToolchainError, match='looked for cc, gcc, clang .*"apt install gcc" or'):
        find_toolchain(HERE)


def test_a_cc_that_does_not_start_is_named(tools, monkeypatch):
    monkeypatch.setenv("CC", "/no/such/cc")
    with pytest.raises(ToolchainError, match="'/no/such/cc' does not start.*set CC, or .* to one that does"):
        find_toolchain(HERE)


def test_the_first_complaint_and_the_command_are_reported(tools, tmp_path):
    tools("cc")
    with pytest.raises(ToolchainError, match="status 1: in cc: fatal error: stop; the command was .*cc -c x.c"):
        find_toolchain(HERE).run(["-c", "x.c"], folder=tmp_path)


def test_a_failed_link_names_the_symbol(workshop):
    (workshop.folder / "open.c").write_text("int missing_kernel(void); int main(void) { return missing_kernel(); }\n")
    with pytest.raises(ToolchainError, match=r"failed with status 1: .*missing_kernel.*; the command was"):
        workshop.compile(workshop.target(), "open.c", "-o", "open")
