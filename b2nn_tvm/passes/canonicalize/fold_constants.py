"""Compute at compile time the values that depend on constants alone.

    v = R.sqrt(R.add(const, eps));  y = R.divide(x, v)  ->  y = R.divide(x, const)

FoldConstant of Relax does the computing. It lowers every call that it sees to find out whether it can fold the call,
which takes half of the time of rewriting a network; so it gets to see the calls on constants only.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping

import numpy as np
import tvm
from tvm import relax
from tvm.ir import GenericConst

from b2nn_tvm.passes.framework.compile_context import CompileContext
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import CONSTANTS_FOLDED
from b2nn_tvm.passes.framework.rewriter import rewrite_calls
from b2nn_tvm.provenance.memory_order import contiguous
from b2nn_tvm.relax_query import calls, constant, op_name


@tvm.transform.module_pass(opt_level=0, name="FoldConstants")
class FoldConstants(CompilerPass):
    """Replace every call of an operator on constants, and on values computed from them, by its value."""

    requires = ()
    ensures = (CONSTANTS_FOLDED,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        values: dict[relax.Var, relax.Expr] = {}
        for function in module.functions.values():
            if isinstance(function, relax.Function):
                values |= _values(function, self.context)
        return rewrite_calls(module, lambda call, context: values.get(context.var)) if values else module


def _values(function: relax.Function, context: CompileContext) -> dict[relax.Var, relax.Expr]:
    """The values of the variables that depend on constants alone: Relax folds a function that holds nothing else."""
    transposes: dict[relax.Var, relax.Expr] = {}
    copies: dict[relax.Var, relax.Expr] = {}
    builder = relax.BlockBuilder()
    with builder.function("main", []):
        with builder.dataflow():
            for var, call in calls(function):
                arguments = [_static(argument, ChainMap(transposes, copies)) for argument in call.args]
                if (transposed := _transposed(call, context)) is not None:
                    transposes[var] = transposed
                elif isinstance(call.op, tvm.ir.Op) and all(argument is not None for argument in arguments):
                    copies[var] = builder.emit(relax.Call(call.op, arguments, call.attrs, call.ty_args))
            result = builder.emit_output(relax.Tuple(list(copies.values())))
        builder.emit_func_output(result)
    if not copies:
        return transposes
    (block,) = relax.transform.FoldConstant()(builder.get())["main"].body.blocks
    folded = zip(copies, block.bindings[-1].value.fields, strict=True)
    return transposes | {var: value for var, value in folded if isinstance(value, GenericConst)}


def _transposed(call: relax.Call, context: CompileContext) -> relax.Expr | None:
    """The transpose of a float32 matrix, which TVM makes slowly and dense layers need; None for other calls."""
    value = constant(call.args[0]) if op_name(call) == "relax.permute_dims" else None
    if value is None or value.ndim != 2 or value.dtype != np.float32:
        return None
    axes = [1, 0] if call.attrs.axes is None else [int(axis) for axis in call.attrs.axes]
    transposed = relax.const(contiguous(value.transpose(axes)))
    if axes == [1, 0] and (matrix := constant(transposed)) is not None:
        context.digest.share(value, matrix.T)  # a dense layer is known by its weights [O, I], whichever way they stand
    return transposed


def _static(argument: relax.Expr, copies: Mapping[relax.Var, relax.Expr]) -> relax.Expr | None:
    """The argument in terms of the copies; None where it depends on more than constants."""
    if isinstance(argument, relax.Var):
        return copies.get(argument)
    if isinstance(argument, relax.Tuple):
        fields = [_static(field, copies) for field in argument.fields]
        return None if any(field is None for field in fields) else relax.Tuple(fields)
    return argument
