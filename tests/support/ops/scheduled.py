"""Operators as they are compiled: scheduled for a target's vector unit, built, and called on numpy arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tvm
from tvm import te, tirx

from b2nn_tvm.schedules.schedule_module import schedule_function, vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import Records
from b2nn_tvm.targets.target import TargetInfo

UNWRITTEN = 77


def build(function: tirx.PrimFunc, target: TargetInfo) -> Callable[..., np.ndarray]:
    """A function of the inputs that returns the last argument, which it fills with ``UNWRITTEN`` before."""
    return _build(function, target.tvm_target())


def build_unoptimized(function: tirx.PrimFunc) -> Callable[..., np.ndarray]:
    """The same of a function that is only compared with, by code for any CPU: optimising it would take longer."""
    return _build(function, tvm.target.Target({"kind": "llvm", "opt-level": 0}))


def _build(function: tirx.PrimFunc, target: tvm.target.Target) -> Callable[..., np.ndarray]:
    module = tvm.IRModule({"main": function.with_attr("global_symbol", "main")})
    library = tvm.runtime.Executable(tvm.tirx.build(module, target=target))
    output = function.params[-1]
    shape, dtype = tuple(int(extent) for extent in output.ty.shape), str(output.dtype)

    def call(*inputs: np.ndarray) -> np.ndarray:
        result = tvm.runtime.tensor(np.full(shape, UNWRITTEN, dtype))
        library["main"](*(tvm.runtime.tensor(np.ascontiguousarray(array)) for array in inputs), result)
        return result.numpy()

    return call


def compile_tensors(tensors: Sequence[te.Tensor], target: TargetInfo) -> Callable[..., np.ndarray]:
    """The computation of the last tensor from those before it, with the default tile."""
    return compile_function(te.create_prim_func(list(tensors)), target)


def compile_function(function: tirx.PrimFunc, target: TargetInfo) -> Callable[..., np.ndarray]:
    """An unscheduled function, with the default tile."""
    vector_unit = vector_unit_named(target.vector)
    scheduled, _ = schedule_function(function, vector_unit=vector_unit, records=Records(vector_unit.name))
    return build(scheduled, target)
