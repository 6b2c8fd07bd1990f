"""Free the constants that earlier passes have replaced: what was computed of them once is kept with the arrays.

The weights of a network are imported, then transposed, then packed. Each form takes the memory of all of them.
"""

from __future__ import annotations

import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.relax_query import constant


@tvm.transform.module_pass(opt_level=0, name="ForgetArrays")
class ForgetArrays(CompilerPass):
    """Leave the module as it is, and keep only results about the constants that are in it."""

    requires = ()
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        found: list[tvm.ir.GenericConst] = []

        def collect(expr: relax.Expr) -> None:
            if isinstance(expr, tvm.ir.GenericConst):
                found.append(expr)

        for function in module.functions.values():
            if isinstance(function, relax.Function):
                relax.analysis.post_order_visit(function, collect)
        shown = [value for each in found if (value := constant(each)) is not None]
        self.context.digest.keep_only(shown)
        self.context.kernels.keep_only(shown)
        return module
