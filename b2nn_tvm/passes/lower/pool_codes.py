"""Pool codes before they become numbers: a maximum of codes is the code of the maximum.

    nn.max_pool2d((astype(q, "float32") - z) * s)  ->  (astype(nn.max_pool2d(q), "float32") - z) * s

The operators between are rising, and their rounding is, too, so the numbers stay the same.
"""

from __future__ import annotations

import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NHWC
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.lower.store_codes import stored_codes
from b2nn_tvm.passes.patterns.quantized_layer import affine_step
from b2nn_tvm.relax_query import dtype, op_name

_LONGEST = 8  # operators between codes and their pooling


@tvm.transform.module_pass(opt_level=0, name="PoolCodes")
class PoolCodes(CompilerPass):
    """Rewrite the max poolings of what StoreCodes has stored."""

    requires = (NHWC,)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        layout = self.context.layout.codes

        def pool(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
            if op_name(call) != "relax.nn.max_pool2d" or dtype(call) != "float32":
                return None
            between: list[tuple[relax.Call, int]] = []
            numbers = call.args[0]
            while (step := affine_step(context.definition(numbers), context.definition)) and len(between) < _LONGEST:
                if step.factor <= 0:
                    return None
                between.append((context.definition(numbers), step.place))
                numbers = step.x
            codes = stored_codes(numbers, layout, context.definition)
            if codes is None:
                return None
            pooled = context.emit(relax.Call(call.op, [codes], call.attrs))
            result = relax.op.astype(pooled, "float32")
            for made, place in reversed(between):
                operands = list(made.args)
                operands[place] = context.emit(result)
                result = relax.Call(made.op, operands, made.attrs)
            return result

        return rewrite_calls(module, pool, self.recorder("codes are pooled before they become numbers"))
