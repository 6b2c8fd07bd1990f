"""Let every output be written by a kernel: an output that is an input, a constant or another output is copied.

    return (y, x)  ->  z = call_tir(copy, x); return (y, z)        x an input, a constant, or y itself

A library's kernels write each output where its caller wants it, so no two outputs share memory, and no output shares an
input's. An output that is another tensor in a new shape is copied as well: its reshape becomes a view, which no kernel
writes.
"""

from __future__ import annotations

from collections.abc import Mapping

import tvm
from tvm import relax, te, tirx, topi
from tvm.ir import GenericConst
from tvm.s_tir.schedule import Schedule, ScheduleError

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.kernel_invariants import KERNELS_ONLY, OUTPUTS_WRITTEN
from b2nn_tvm.relax_query import dtype, op_name, shape


@tvm.transform.module_pass(opt_level=0, name="CopyOutputs")
class CopyOutputs(CompilerPass):
    """Copy the outputs of "main" that no kernel writes; it stands after fusion, so that no pass takes the copy away."""

    requires = (KERNELS_ONLY,)
    ensures = (OUTPUTS_WRITTEN,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        function = module["main"]
        bound = relax.analysis.get_var2val(function)
        result = _aliased(function.body.body, bound)
        results = list(result.fields) if isinstance(result, relax.Tuple) else [result]
        builder = relax.BlockBuilder(module)
        written: set[relax.Var] = set()
        copies: list[relax.VarBinding] = []
        for index, value in enumerate(results):
            root = _root(value, bound, module)
            if isinstance(root, relax.Var) and root in bound and root not in written:
                written.add(root)
                continue
            copies.append(relax.VarBinding(relax.Var(f"copy{index}", value.ty), _copy(value, builder)))
            results[index] = copies[-1].var
        if not copies:
            return module
        returned = relax.Tuple(results) if isinstance(result, relax.Tuple) else results[0]
        builder.update_func(module.get_global_var("main"), _returning(function, copies, returned))
        return relax.transform.Normalize()(builder.get())


def _aliased(expr: relax.Expr, bound: Mapping[relax.Var, relax.Expr]) -> relax.Expr:
    """The expression that a variable is another name of: ``b`` where ``a = b``, or a tuple."""
    while isinstance(expr, relax.Var) and isinstance(bound.get(expr), (relax.Var, relax.Tuple, GenericConst)):
        expr = bound[expr]
    return expr


def _root(expr: relax.Expr, bound: Mapping[relax.Var, relax.Expr], module: tvm.IRModule) -> relax.Expr:
    """The tensor in whose memory ``expr`` is: reshapes inside a dataflow block are views."""
    expr = _aliased(expr, bound)
    call = bound.get(expr) if isinstance(expr, relax.DataflowVar) else None
    if call is not None and op_name(call) == "relax.call_tir" and _is_reshape(module[call.args[0]]):
        return _root(call.args[1].fields[0], bound, module)
    return expr


def _is_reshape(kernel: tirx.PrimFunc) -> bool:
    """Whether Relax takes the kernel for a reshape, now or once its schedule has inlined its blocks into the last."""
    if relax.analysis.has_reshape_pattern(kernel):
        return True
    schedule = Schedule(kernel)
    *others, _ = schedule.get_child_blocks(schedule.get_sblock("root"))
    try:
        for block in others:
            schedule.compute_inline(block)
    except ScheduleError:
        return False
    return bool(others) and bool(relax.analysis.has_reshape_pattern(schedule.mod["main"]))


def _copy(value: relax.Expr, builder: relax.BlockBuilder) -> relax.Call:
    x = te.placeholder(shape(value), dtype(value), name="x")
    kernel = te.create_prim_func([x, topi.identity(x)]).without_attr("global_symbol")
    return relax.call_tir(
        builder.add_func(kernel, "copy"), [value], out_ty=relax.TensorType(shape(value), dtype(value))
    )


def _returning(function: relax.Function, copies: list[relax.VarBinding], returned: relax.Expr) -> relax.Function:
    """The function that computes ``copies`` after all other bindings and returns ``returned``.

    The copies leave the dataflow block, for a copy inside is a reshape, and so a view, to Relax.
    """
    output = relax.Var("outputs", function.ret_ty)
    *before, last = function.body.blocks or [relax.DataflowBlock([])]
    kept = [binding for binding in last.bindings if not binding.var.same_as(function.body.body)]
    block = relax.DataflowBlock([*kept, *copies, relax.VarBinding(output, returned)])
    body = relax.SeqExpr([*before, block], output)
    return relax.Function(function.params, body, function.ret_ty, function.is_pure, function.attrs)
