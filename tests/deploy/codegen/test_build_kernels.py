"""Kernels from TVM itself: its parallel loops run in the runtime's threads, its temporaries in its scratch memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tvm import IRModule, s_tir, te, tirx, transform

from b2nn_tvm.deploy.codegen import build_kernels as build_kernels_module
from b2nn_tvm.deploy.codegen.build_kernels import KernelObject, build_kernel, build_kernels
from b2nn_tvm.deploy.codegen.program import Argument, Program, Step, Storage, TensorSpec
from b2nn_tvm.deploy.devices.emulator import EmulatorDevice
from b2nn_tvm.deploy.library.artifact import load
from b2nn_tvm.deploy.library.build_library import build_library
from b2nn_tvm.deploy.library.elf import is_hard_float
from b2nn_tvm.errors import DeviceError
from b2nn_tvm.storage.content_cache import ContentCache
from b2nn_tvm.targets import target as targets
from b2nn_tvm.tvm_internals.lowering_pipeline import build_lowered_by

N = 65
TEMPORARY_BYTES = (N * N * 4 + 63) // 64 * 64


def parallel_exp() -> IRModule:
    """out[i, j] = exp(b[i, j]) + b[N-1-i, j] with b = x / 2, in two parallel loops around a temporary."""
    x = te.placeholder((N, N), "float32", "x")
    b = te.compute((N, N), lambda i, j: x[i, j] * tirx.const(0.5, "float32"), name="b")
    out = te.compute((N, N), lambda i, j: tirx.exp(b[i, j]) + b[N - 1 - i, j], name="out")
    schedule = s_tir.Schedule(IRModule({"halve_exp": te.create_prim_func([x, out])}))
    schedule.work_on("halve_exp")
    for block in ("b", "out"):
        schedule.parallel(schedule.get_loops(schedule.get_sblock(block))[0])
    return schedule.mod


def halve_exp(kernel: KernelObject, *, workspace_bytes: int | None = None) -> Program:
    spec = TensorSpec("x", (N, N), "float32")
    step = Step(kernel.symbol, "exp", (Argument(Storage.INPUT, 0), Argument(Storage.OUTPUT, 0)))
    room = kernel.workspace_bytes if workspace_bytes is None else workspace_bytes
    return Program((spec,), (replace(spec, name="out"),), (step,), (), 0, room)


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((N, N)).astype("float32")


def reference(x: np.ndarray) -> np.ndarray:
    return np.exp(x / 2) + x[::-1] / 2


@pytest.fixture(scope="module")
def kernel(workshop) -> KernelObject:
    target = replace(workshop.target(), mcpu="x86-64")
    return build_kernel(parallel_exp()["halve_exp"], target.tvm_target())


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_parallel_loops_and_temporaries(workshop, kernel, values, threads):
    folder = workshop.folder / "tvm"
    build_library(halve_exp(kernel), [kernel.code], workshop.target(), folder)
    with load(folder) as artifact:
        for _ in range(20):
            np.testing.assert_allclose(
                artifact.run({"x": values}, threads=threads)["out"], reference(values), rtol=1e-5, atol=1e-6
            )


def test_temporaries_come_from_the_planned_scratch_memory(workshop, kernel, values):
    folder = workshop.folder / "short"
    build_library(halve_exp(kernel, workspace_bytes=TEMPORARY_BYTES - 64), [kernel.code], workshop.target(), folder)
    with load(folder) as artifact, pytest.raises(DeviceError, match=f"beyond the {TEMPORARY_BYTES - 64} planned"):
        artifact.run({"x": values})


@pytest.mark.emulated
@pytest.mark.parametrize("threads", [1, 3])
def test_on_the_emulated_board(workshop, values, threads, arm_board):
    target, folder = workshop.target("arm"), workshop.folder / "tvm-arm"
    kernel = build_kernel(parallel_exp()["halve_exp"], target.tvm_target())
    build_library(halve_exp(kernel), [kernel.code], target, folder)
    result = EmulatorDevice("cortex-a72").run(load(folder), {"x": values}, threads=threads)
    np.testing.assert_allclose(result["out"], reference(values), rtol=1e-5, atol=1e-6)


def test_soft_float_kernels_are_refused(workshop, values):
    """LLVM takes soft float for ARM unless told otherwise, in spite of the triple; a linker joins it to anything."""
    target = targets.get("armv7")
    trapped = replace(target, float_abi="")
    kernels = {each: build_kernel(parallel_exp()["halve_exp"], each.tvm_target()) for each in (target, trapped)}
    assert [is_hard_float(kernels[each].code) for each in (target, trapped)] == [True, False]
    with pytest.raises(ValueError, match='the target armv7 needs float_abi = "hard"'):
        build_library(halve_exp(kernels[trapped]), [kernels[trapped].code], trapped, workshop.folder / "soft")
    assert not (workshop.folder / "soft").exists()


def several(*names: str) -> IRModule:
    """Three functions under these names; the first two are equal but for the names of their values."""
    return IRModule(dict(zip(names, [times(2.0, "lv1"), times(2.0, "a_long_name"), times(3.0, "lv1")], strict=True)))


def times(factor: float, name: str) -> tirx.PrimFunc:
    x = te.placeholder((N,), "float32", name)
    y = te.compute((N,), lambda i: x[i] * tirx.const(factor, "float32"), name=f"{name}_y")
    return te.create_prim_func([x, y])


@pytest.fixture
def compilations(monkeypatch) -> list[str]:
    """Each compilation of a kernel by LLVM adds the symbol of its kernel."""
    done = []

    def build(lowering, module, target):
        done.append(str(module["main"].attrs["global_symbol"]))
        return build_lowered_by(lowering, module, target)

    monkeypatch.setattr(build_kernels_module, "build_lowered_by", build)
    return done


@pytest.fixture
def cache(tmp_path) -> ContentCache:
    return ContentCache(tmp_path / "kernels", 1 << 20)


TARGET = targets.get("x86").tvm_target()


def test_equal_functions_become_one_kernel(compilations, cache):
    kernels = build_kernels(several("one", "two", "three"), TARGET, cache=cache)
    assert kernels.symbols["one"] == kernels.symbols["two"] != kernels.symbols["three"]
    assert sorted(compilations) == sorted({*kernels.symbols.values()})
    assert len(kernels.objects(kernels.symbols.values())) == 2
    assert kernels.objects([kernels.symbols["one"]]) == [kernels.by_function["two"].code]


def test_a_kernel_is_compiled_once_for_all_networks(compilations, cache):
    first = build_kernels(several("one", "two", "three"), TARGET, cache=cache)
    del compilations[:]
    second = build_kernels(several("b", "c", "a"), TARGET, cache=cache)
    assert compilations == []
    assert [second.by_function[name] for name in "bca"] == [first.by_function[n] for n in ("one", "two", "three")]


def test_what_is_compiled_again_is_the_same_to_the_last_byte(cache):
    """Even where the names of values differ, which LLVM writes into debugging information."""
    one, two, _ = (function for _, function in several("a", "b", "c").functions_items())
    assert build_kernel(one, TARGET) == build_kernel(two, TARGET)
    cached = build_kernels(several("a", "b", "c"), TARGET, cache=cache)
    assert cached == build_kernels(several("a", "b", "c"), TARGET, cache=ContentCache(cache.folder, 0))


def test_the_settings_of_the_caller_change_no_kernel():
    function = parallel_exp()["halve_exp"]
    with transform.PassContext(disabled_pass=["tirx.StorageRewrite"]):  # which would change the code of this one
        inside = build_kernel(function, TARGET)
    assert inside == build_kernel(function, TARGET)


def test_damaged_kernels_are_compiled_again(compilations, cache):
    kernels = build_kernels(several("one", "two", "three"), TARGET, cache=cache)
    del compilations[:]
    for path in cache.folder.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    assert build_kernels(several("one", "two", "three"), TARGET, cache=cache) == kernels
    assert len(compilations) == 2
