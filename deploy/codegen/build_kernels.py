"""Scheduled functions -> a relocatable object whose symbols are plain C functions, ``int symbol(void*, ...)``.

TVM's own pipeline wraps each function for TVM's runtime (the packed calling convention). The pipeline here lowers the
same way and then turns each buffer parameter into a plain pointer, so that the object needs nothing but the backend
hooks of deploy/runtime/backend.c.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tvm
from tvm import s_tir, tirx

from b2nn_tvm.deploy.codegen.keep_tiles_on_stack import keep_tiles_on_stack
from b2nn_tvm.tvm_internals.lowering_pipeline import build_lowered_by

CACHE_LINE = 64
MAX_ALLOCATIONS = 32


@dataclass(frozen=True)
class KernelObject:
    """A relocatable object file, and for each of its functions the bytes of scratch memory that a thread needs."""

    code: bytes
    workspaces: Mapping[str, int]

    @property
    def workspace_bytes(self) -> int:
        """The largest need of scratch memory of one kernel, in bytes per thread."""
        return max(self.workspaces.values(), default=0)


def build_object(module: tvm.IRModule, target: tvm.target.Target, *, prefix: str) -> KernelObject:
    """The object file of all functions of ``module``, which are scheduled and have static shapes.

    The symbol of a function is ``prefix`` + its name.
    """
    functions = {
        name: function.with_attr("global_symbol", prefix + name.name_hint)
        for name, function in module.functions_items()
        if isinstance(function, tirx.PrimFunc)
    }
    scratch: dict[str, int] = {}
    library = build_lowered_by(_lower_to_c_abi(scratch), tvm.IRModule(functions), target)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernels.o"
        library.write_to_file(str(path), "o")
        return KernelObject(path.read_bytes(), scratch)


def _lower_to_c_abi(scratch: dict[str, int]) -> tvm.transform.Pass:
    """The pass from scheduled functions to plain C functions; it enters each kernel's scratch memory in ``scratch``."""

    def lower(module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        lowered = tvm.ir.transform.Sequential(_LOWERING)(module)
        scratch.update((name.name_hint, _scratch_bytes(function)) for name, function in lowered.functions_items())
        functions = {
            name: _with_pointers(keep_tiles_on_stack(function)) for name, function in lowered.functions_items()
        }
        return tvm.IRModule(functions, attrs=lowered.attrs)

    return tvm.transform.module_pass(lower, opt_level=0, name="LowerToCAbi")


_LOWERING = [
    s_tir.transform.CanonicalizeLoop(),
    s_tir.transform.LowerCrossThreadReduction(),
    s_tir.transform.LowerInitBlock(),
    s_tir.transform.PlanAndUpdateBufferAllocationLocation(),
    s_tir.transform.ConvertBlocksToOpaque(),
    s_tir.transform.CompactBufferAllocation(),
    s_tir.transform.LowerMatchBuffer(),
    s_tir.transform.StmtSimplify(),
    s_tir.transform.AnnotateIrregularLoop(),
    s_tir.transform.LowerOpaqueBlock(),
    tirx.transform.FlattenBuffer(),
    tirx.transform.NarrowDataType(32),
    s_tir.transform.LoopPartition(),
    tirx.transform.VectorizeLoop(True),
    tirx.transform.StorageRewrite(),
    s_tir.transform.HoistIfThenElse(),
    tirx.transform.UnrollLoop(),
    s_tir.transform.RenormalizeSplitPattern(),
    tirx.transform.StmtSimplify(),
    tirx.transform.RemoveNoOp(),
    s_tir.transform.RewriteUnsafeSelect(),
    tirx.transform.CommonSubexprElim(),
    tirx.transform.VerifyMemory(),
]


def _scratch_bytes(function: tirx.PrimFunc) -> int:
    """The bytes that a lowered kernel takes from the workspace, with each allocation rounded up to a cache line."""
    allocated = s_tir.analysis.calculate_allocated_bytes(function)
    total = sum(int(size) for scopes in allocated.values() for scope, size in scopes.items() if scope != "local")
    return total + MAX_ALLOCATIONS * CACHE_LINE if total else 0


def _with_pointers(function: tirx.PrimFunc) -> tirx.PrimFunc:
    """The function with pointers in place of buffer parameters; its body declares the buffers and returns 0.

    The return stands outside the device scope: inside the scope, the function would not give back its scratch memory.
    """
    parameters, declared = [], []
    for buffer in function.params:
        pointer = tirx.Var(f"{buffer.name}_ptr", tvm.ir.PointerType(tvm.ir.PrimType(str(buffer.dtype))))
        parameters.append(pointer)
        declared.append(tirx.DeclBuffer(buffer, data=pointer))
    scope, zero = tvm.ir.StringImm("default"), tirx.const(0, "int32")
    body = tirx.SeqStmt([*declared, function.body])
    for key, value in (("device_type", tirx.const(1, "int32")), ("device_id", zero)):
        body = tirx.AttrStmt(scope, key, value, body)
    return tirx.PrimFunc(parameters, tirx.SeqStmt([body, tirx.Return(zero)]), tvm.ir.PrimType("int32"), function.attrs)
