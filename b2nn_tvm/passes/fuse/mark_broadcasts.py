"""Tell FuseOps where a computed tensor is smaller than the result: such a function is no epilogue of what computed it.

    multiply(x [1, 1, 1, 1], constant [1, 1, 1, 64])    op_pattern: elementwise  ->  op_pattern: broadcast

TVM calls a function elementwise if one operand has the result's shape. Where that is a constant, the computed operand
is spread over more values than the tiles of its convolution have. It stands between AnnotateTIROpPattern and FuseOps.
"""

from __future__ import annotations

from math import prod

import tvm
from tvm import relax
from tvm.ir import GenericConst

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.kernel_invariants import OPERATORS_LOWERED, PATTERNS_ANNOTATED
from b2nn_tvm.relax_query import calls, op_name, shape

_ELEMENTWISE, _BROADCAST = 0, 1  # relax's OpPatternKind
_PATTERN = "op_pattern"


@tvm.transform.module_pass(opt_level=0, name="MarkBroadcasts")
class MarkBroadcasts(CompilerPass):
    """Mark the elementwise functions that "main" calls on nothing but constants and smaller tensors."""

    requires = (OPERATORS_LOWERED, PATTERNS_ANNOTATED)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        spreading = {call.args[0] for _, call in calls(module["main"]) if _spreads(call)}
        functions = {
            name: function.with_attr(_PATTERN, _BROADCAST)
            if name in spreading and int(function.attrs.get(_PATTERN, _BROADCAST)) == _ELEMENTWISE
            else function
            for name, function in module.functions_items()
        }
        return tvm.IRModule(functions, attrs=module.attrs)


def _spreads(call: relax.Call) -> bool:
    """Whether every computed operand of a call_tir is smaller than its result."""
    if op_name(call) != "relax.call_tir" or not shape(call):
        return False
    computed = [value for value in call.args[1].fields if not isinstance(value, GenericConst)]
    return bool(computed) and all(prod(shape(value)) < prod(shape(call)) for value in computed)
