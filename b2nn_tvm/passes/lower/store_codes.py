"""Let codes that an 8-bit layer reads lie in memory as bytes, or as what the target's 8-bit layers read.

    c = R.clip(R.round(x / s) + z, 0, 255);  conv2d((c - z) * s, w)
        ->  q = R.astype(c, "uint8");  c' = R.astype(q, "float32");  conv2d((c' - z) * s, w)

All readers of the codes read c', and so the memory of q: the cast to bytes becomes the end of the function that
computes the codes, and the cast back a part of the functions that read them.
"""

from __future__ import annotations

import tvm
from tvm import relax

from b2nn_tvm.ops.vector_layout import CodeLayout
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NHWC, NO_BINARY_CONV
from b2nn_tvm.passes.framework.recorder import layer_weight
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.patterns.quantized_layer import (
    QuantizedInput,
    QuantizedLayer,
    match_quantized_input,
    match_quantized_layer,
)
from b2nn_tvm.passes.patterns.whole_numbers import Range
from b2nn_tvm.relax_query import Definition, calls, definitions, dtype, op_name


@tvm.transform.module_pass(opt_level=0, name="StoreCodes")
class StoreCodes(CompilerPass):
    """Store the codes that 8-bit convolutions and dense layers read in the target's type of codes."""

    requires = (NHWC, NO_BINARY_CONV)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        layout = self.context.layout.codes
        stored = _codes(module["main"], layout)
        if not stored:
            return module

        def store(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
            values = stored.get(context.var)
            return None if values is None else _store(call, values, layout, context)

        return rewrite_calls(module, store, self.recorder("its input lies in memory as codes of 8 bits"))


def _codes(function: relax.Function, layout: CodeLayout) -> dict[relax.Var, Range]:
    """The variables of codes that 8-bit layers read and that are no such cast already, with their ranges; where there
    are such layers, those that are pooled, too.
    """
    definition = definitions(function)
    found: list[QuantizedInput] = []
    pooled: list[QuantizedInput] = []
    for _, call in calls(function):
        if op_name(call) in ("relax.nn.conv2d", "relax.matmul"):
            layer = match_quantized_layer(call, layer_weight(call), definition)
            found += [layer.input] if isinstance(layer, QuantizedLayer) else []
        elif op_name(call) == "relax.nn.max_pool2d" and dtype(call) == "float32":
            data = match_quantized_input(call.args[0], definition)
            pooled += [data] if data is not None and not data.moves else []
    inputs = [*found, *pooled] if found else []
    return {each.codes: each.values for each in inputs if stored_codes(each.codes, layout, definition) is None}


def stored_codes(codes: relax.Expr, layout: CodeLayout, definition: Definition) -> relax.Expr | None:
    """The tensor in memory of which ``codes`` are the numbers; None where they are computed as floats."""
    call = definition(codes)
    cast = op_name(call) == "relax.astype" and dtype(call.args[0]) == layout.dtype
    return call.args[0] if cast else None


def _store(call: relax.Call, values: Range, layout: CodeLayout, context: RewriteContext) -> relax.Expr:
    """The codes as they were, read from memory, where they begin at the least number that the type of codes has, but
    at 0 in types of more than 8 bits.
    """
    codes, shift = context.emit(call), layout.first - values.low
    if shift:
        codes = context.emit(relax.op.add(codes, relax.const(shift, "float32")))
    numbers = relax.op.astype(context.emit(relax.op.astype(codes, layout.dtype)), "float32")
    return relax.op.subtract(context.emit(numbers), relax.const(shift, "float32")) if shift else numbers
