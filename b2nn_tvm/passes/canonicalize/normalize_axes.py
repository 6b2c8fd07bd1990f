"""Count every axis from the front: Relax's ConvertLayout takes a negative axis of some operators for a place in memory.

R.squeeze(x[1, 8, 1, 1], axis=[-1])   ->  R.squeeze(x, axis=[3])
R.sum(x[1, 8, 4, 6], axis=[-3])       ->  R.sum(x, axis=[1])
"""

from __future__ import annotations

import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import AXES_FROM_FRONT
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls, with_attributes
from b2nn_tvm.passes.patterns.axes import negative_axes


@tvm.transform.module_pass(opt_level=0, name="NormalizeAxes")
class NormalizeAxes(CompilerPass):
    """Make the negative axes of the operators that ConvertLayout has a rule for non-negative."""

    requires = ()
    ensures = (AXES_FROM_FRONT,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        return rewrite_calls(module, _normalize)


def _normalize(call: relax.Call, _context: RewriteContext) -> relax.Expr | None:
    changed = dict(negative_axes(call))
    return with_attributes(call, **changed) if changed else None
