"""Tell FuseOps which functions spread a smaller computed tensor: they cannot be the epilogue of its producer.

    multiply(x [1, 1, 1, 1], constant [1, 1, 1, 64])              op_pattern: elementwise  ->  op_pattern: broadcast
    multiply(sigmoid(bconv2d [1, 1, 1, 64]), x [1, 8, 8, 64])     op_pattern: elementwise  ->  op_pattern: broadcast

TVM calls a function elementwise if one operand has the result's shape. Where another operand comes from a convolution,
it may be spread over more values than the tiles of that convolution have: only a function whose result has the
convolution's shape can be its epilogue. The pass stands between AnnotateTIROpPattern and FuseOps.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import tvm
from tvm import relax
from tvm.ir import GenericConst

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.kernel_invariants import OPERATORS_LOWERED, PATTERNS_ANNOTATED
from b2nn_tvm.passes.framework.op_pattern import ATTRIBUTE, OpPattern
from b2nn_tvm.relax_query import calls, op_name, shape


@tvm.transform.module_pass(opt_level=0, name="MarkBroadcasts")
class MarkBroadcasts(CompilerPass):
    """Mark the elementwise functions that "main" calls on a convolution's tensor of another shape than the result, or
    on computed tensors that are all smaller than the result.
    """

    requires = (OPERATORS_LOWERED, PATTERNS_ANNOTATED)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        spreading = set(_spreading(module))
        functions = {
            name: function.with_attr(ATTRIBUTE, OpPattern.BROADCAST) if name in spreading else function
            for name, function in module.functions_items()
        }
        return tvm.IRModule(functions, attrs=module.attrs)


def _spreading(module: tvm.IRModule) -> Iterator[tvm.ir.GlobalVar]:
    """The elementwise functions to be marked."""
    # The results of convolutions, and of the functions behind them that FuseOps may join to them.
    convolved: set[relax.Var] = set()
    for var, call in calls(module["main"]):
        if op_name(call) != "relax.call_tir":
            continue
        pattern = int((module[call.args[0]].attrs or {}).get(ATTRIBUTE, OpPattern.OPAQUE))
        operands = [value for value in call.args[1].fields if not isinstance(value, GenericConst)]
        behind = [value for value in operands if value in convolved]
        if pattern == OpPattern.OUT_ELEMENTWISE_FUSABLE or (pattern <= OpPattern.BROADCAST and behind):
            convolved.add(var)
        if pattern == OpPattern.ELEMENTWISE and shape(call) and _spreads(call, operands, behind):
            yield call.args[0]


def _spreads(call: relax.Call, operands: list[relax.Expr], behind: list[relax.Expr]) -> bool:
    """Whether an operand that comes from a convolution has not the result's shape, or every computed operand is
    smaller.
    """
    if any(shape(value) != shape(call) for value in behind):
        return True
    return bool(operands) and all(prod(shape(value)) < prod(shape(call)) for value in operands)
