"""A scheduled function -> a relocatable object with one plain C function, ``int symbol(void*, ...)``.

TVM's own pipeline wraps each function for TVM's runtime (the packed calling convention). The pipeline here lowers the
same way and then turns each buffer parameter into a plain pointer, so that the object needs nothing but the backend
hooks of deploy/runtime/backend.c.

The symbol comes from the content of the function, and so does the whole object: equal kernels of a network, or of many
networks, are compiled once.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import tvm
from tvm import s_tir, tirx

from b2nn_tvm.deploy.codegen.keep_tiles_on_stack import keep_tiles_on_stack
from b2nn_tvm.deploy.codegen.kernel_key import kernel_key, without_notes
from b2nn_tvm.storage.content_cache import ContentCache
from b2nn_tvm.tvm_internals.function_graph import with_canonical_names
from b2nn_tvm.tvm_internals.lowering_pipeline import build_lowered_by
from b2nn_tvm.tvm_internals.vector_rounding import vectorize_rounding

CACHE_LINE = 64
MAX_ALLOCATIONS = 32
PREFIX = "b2nn_kernel_"
_SYMBOL_DIGITS = 32  # of a key: of a billion kernels, two share these 128 bits with a probability of 10^-21


@dataclass(frozen=True)
class KernelObject:
    """A relocatable object file that defines the function ``symbol``; ``workspace_bytes`` is the scratch memory that a
    thread needs in it.
    """

    symbol: str
    code: bytes
    workspace_bytes: int


@dataclass(frozen=True)
class Kernels:
    """The kernels of a module by the names of its functions; functions of equal content have the same kernel."""

    by_function: Mapping[str, KernelObject]

    @property
    def symbols(self) -> dict[str, str]:
        """The symbol of each function."""
        return {name: kernel.symbol for name, kernel in self.by_function.items()}

    @property
    def workspaces(self) -> dict[str, int]:
        """The bytes of scratch memory that a thread needs in each function."""
        return {name: kernel.workspace_bytes for name, kernel in self.by_function.items()}

    def objects(self, symbols: Iterable[str]) -> list[bytes]:
        """The object files that define ``symbols``, each once, in the order of the symbols."""
        code = {kernel.symbol: kernel.code for kernel in self.by_function.values()}
        return [code[symbol] for symbol in sorted(set(symbols))]


def build_kernels(module: tvm.IRModule, target: tvm.target.Target, *, cache: ContentCache) -> Kernels:
    """The kernels of all functions of ``module``, which are scheduled and have static shapes.

    Kernels that ``cache`` lacks are compiled side by side, on as many CPUs as this process may use, and added to it.
    """
    functions = {name.name_hint: f for name, f in module.functions_items() if isinstance(f, tirx.PrimFunc)}
    keys = {name: kernel_key(function, target) for name, function in functions.items()}
    found = {key: _unpacked(key, content) for key in {*keys.values()} if (content := cache.load(key)) is not None}
    missing = {key: functions[name] for name, key in keys.items() if key not in found}
    if missing:
        # Threads are enough: TVM's functions release Python's lock, so that others run while LLVM generates code.
        with ThreadPoolExecutor(min(len(os.sched_getaffinity(0)), len(missing))) as pool:
            built = pool.map(lambda key: _build(key, missing[key], target), missing)
            for key, kernel in zip(missing, built, strict=True):
                cache.store(key, _packed(kernel))
                found[key] = kernel
        cache.trim()
    return Kernels({name: found[key] for name, key in keys.items()})


def build_kernel(function: tirx.PrimFunc, target: tvm.target.Target) -> KernelObject:
    """The kernel of one function, which is scheduled and has static shapes, compiled now."""
    return _build(kernel_key(function, target), function, target)


def _build(key: str, function: tirx.PrimFunc, target: tvm.target.Target) -> KernelObject:
    """The kernel with this key. It depends on the key alone: names are left out, and no PassContext of the caller is
    looked at.
    """
    symbol = PREFIX + key[:_SYMBOL_DIGITS]
    vectorize_rounding()
    function = with_canonical_names(without_notes(function)).with_attr("global_symbol", symbol)
    try:
        return _compile(symbol, function, target)
    except tvm.error.InternalError as error:
        if _INVALID not in str(error):
            raise
        return _compile(symbol, function, tvm.target.Target({**target.export(), "opt-level": 1}))


def _compile(symbol: str, function: tirx.PrimFunc, target: tvm.target.Target) -> KernelObject:
    scratch: list[int] = []
    with tvm.transform.PassContext(), tempfile.TemporaryDirectory(prefix="b2nn-") as folder:
        library = build_lowered_by(_lower_to_c_abi(scratch), tvm.IRModule({"main": function}), target)
        path = Path(folder) / "kernel.o"
        library.write_to_file(str(path), "o")
        return KernelObject(symbol, path.read_bytes(), sum(scratch))


def _packed(kernel: KernelObject) -> bytes:
    return b"%d\n%s" % (kernel.workspace_bytes, kernel.code)


def _unpacked(key: str, content: bytes) -> KernelObject:
    workspace, _, code = content.partition(b"\n")
    return KernelObject(PREFIX + key[:_SYMBOL_DIGITS], code, int(workspace))


def _lower_to_c_abi(scratch: list[int]) -> tvm.transform.Pass:
    """The pass from scheduled functions to plain C functions; it adds each kernel's scratch memory to ``scratch``."""

    def lower(module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        lowered = tvm.ir.transform.Sequential(_LOWERING)(module)
        scratch.extend(_scratch_bytes(function) for _, function in lowered.functions_items())
        functions = {
            name: _with_pointers(keep_tiles_on_stack(function)) for name, function in lowered.functions_items()
        }
        return tvm.IRModule(functions, attrs=lowered.attrs)

    return tvm.transform.module_pass(lower, opt_level=0, name="LowerToCAbi")


# LLVM 22 turns some plain loops, such as the mean over an axis of 7, into code that its own verification refuses when
# it looks for vectors in straight code for AVX-512. Without this search the code is right, and slower.
_INVALID = "LLVM module verification failed"

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
