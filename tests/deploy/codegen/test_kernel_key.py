"""The key of a kernel changes with everything that its machine code depends on, and with nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tvm import te

from b2nn_tvm.deploy.codegen import kernel_key as keys
from b2nn_tvm.deploy.codegen.kernel_key import kernel_key
from b2nn_tvm.kernel_attrs import OPERATIONS, ROLE, Role
from b2nn_tvm.targets import target as targets

X86 = targets.get("x86")


def function(added: float = 1.0):
    x = te.placeholder((4,), name="x")
    return te.create_prim_func([x, te.compute((4,), lambda i: x[i] + added)])


def test_names_and_notes_for_people_change_no_key():
    noted = function().with_attr("global_symbol", "other").with_attrs({ROLE: str(Role.DENSE), OPERATIONS: ["add"]})
    assert kernel_key(noted, X86.tvm_target()) == kernel_key(function(), X86.tvm_target())


def test_the_function_its_attributes_and_the_target_change_the_key():
    others = [replace(X86, mcpu="x86-64"), replace(X86, mattr=("+avx512f",)), targets.get("arm"), targets.get("armv7")]
    functions = [function(), function(2.0), function().without_attr("tirx.noalias")]
    found = {kernel_key(each, X86.tvm_target()) for each in functions}
    found |= {kernel_key(function(), each.tvm_target()) for each in others}
    assert len(found) == len(functions) + len(others)


@pytest.mark.parametrize("part", ["build_kernels.py", "kernel_key.py"])
def test_another_compiler_changes_the_key(part, monkeypatch, tmp_path):
    """A copy of the folder, in which one of the files has a line more."""
    before = kernel_key(function(), X86.tvm_target())
    folder = keys.FOLDER
    for path in folder.glob("*.py"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(keys, "FOLDER", tmp_path)
    keys.compiler_versions.cache_clear()
    try:
        assert kernel_key(function(), X86.tvm_target()) == before
        with (tmp_path / part).open("a") as file:
            file.write("# changed\n")
        keys.compiler_versions.cache_clear()
        assert kernel_key(function(), X86.tvm_target()) != before
    finally:
        keys.compiler_versions.cache_clear()


def test_another_version_of_this_package_changes_the_key(monkeypatch):
    before = kernel_key(function(), X86.tvm_target())
    monkeypatch.setattr(keys, "__version__", "99.0")
    keys.compiler_versions.cache_clear()
    try:
        assert kernel_key(function(), X86.tvm_target()) != before
    finally:
        keys.compiler_versions.cache_clear()
