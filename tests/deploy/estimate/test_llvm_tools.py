"""llvm-objdump and llvm-mca: where they are, which model stands for a CPU, and cycles that can be told by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2nn_tvm.deploy.estimate.llvm_tools import FOLDER_VARIABLE, VERSION, find_llvm_tools, model
from b2nn_tvm.errors import ToolchainError


@pytest.mark.parametrize(
    ("cpu", "triple", "found"),
    [
        ("cortex-a76", "aarch64-linux-gnu", "neoverse-n1"),
        ("cortex-a53", "aarch64-linux-gnu", "cortex-a53"),
        ("cortex-a7", "armv7l-linux-gnueabihf", "cortex-a57"),
        ("cortex-a7", "aarch64-linux-gnu", "cortex-a7"),
    ],
)
def test_a_cpu_without_a_model_has_that_of_the_nearest(cpu, triple, found):
    assert model(cpu, triple) == found


def test_a_chain_of_additions_takes_a_cycle_for_each(llvm_tools):
    """Each reads what the one before it wrote; those that do not are done two at a time by a Cortex-A53."""
    chain, apart = ["add x0, x0, #1"] * 8, [f"add x{n}, x{n}, #1" for n in range(8)]
    together, alone = llvm_tools.cycles([chain, apart], triple="aarch64", cpu="cortex-a53")
    assert together == pytest.approx(8, rel=0.05) and alone == pytest.approx(4, rel=0.05)


def test_what_llvm_cannot_read_is_an_error(llvm_tools):
    with pytest.raises(ToolchainError, match="^llvm-mca failed: "):
        llvm_tools.cycles([["no such instruction"]], triple="aarch64", cpu="cortex-a53")


def test_the_folder_that_make_fills_comes_first(monkeypatch, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "llvm-mca").touch()
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    found = find_llvm_tools.__wrapped__()  # without what an earlier call found
    assert (found.folder, found.libraries) == (tmp_path / "bin", tmp_path / "lib")


@pytest.mark.skipif(Path(f"/usr/lib/llvm-{VERSION}/bin/llvm-mca").is_file(), reason="this system has the tools")
def test_without_the_tools_the_error_says_how_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError, match=f'of version {VERSION}; get them with "make llvm-tools" or "apt install'):
        find_llvm_tools.__wrapped__()
