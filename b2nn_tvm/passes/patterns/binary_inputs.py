"""The tensors that binary layers read: the inputs of convolutions and dense layers whose weights are two values."""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.passes.patterns.elementwise import is_elementwise
from b2nn_tvm.passes.patterns.moving_kernel import is_moving_kernel
from b2nn_tvm.passes.patterns.possible_values import MOVES, is_nearest
from b2nn_tvm.provenance.layer_names import has_magnitudes
from b2nn_tvm.relax_query import calls, constant, dtype, op_name, variables


def has_bits(call: relax.Call) -> bool:
    """Whether a call is a convolution or dense layer in float32 with constant weights of one magnitude per output."""
    name = op_name(call)
    if name not in ("relax.nn.conv2d", "relax.matmul") or dtype(call) != "float32":
        return False
    weight = constant(call.args[1])
    if weight is None or weight.ndim < 2:
        return False
    rows = weight if name == "relax.nn.conv2d" else np.moveaxis(weight, -1, 0)  # a view: large weights are not copied
    return rows[0].size > 1 and has_magnitudes(rows)


def binary_inputs(module: tvm.IRModule) -> frozenset[relax.Var]:
    """The variables of "main" that such layers read, also behind operators that move, pad, scale or shift them."""
    function = module["main"]
    bound = {
        binding.var: binding.value
        for block in function.body.blocks
        for binding in block.bindings
        if isinstance(binding, relax.VarBinding)
    }
    found: set[relax.Var] = set()
    waiting = [call.args[0] for _, call in calls(function) if has_bits(call)]
    while waiting:
        var = waiting.pop()
        if not isinstance(var, relax.Var) or var in found:
            continue
        found.add(var)
        value = bound.get(var)
        if value is not None:
            waiting += _passed(value, module)
    return frozenset(found)


def _passed(value: relax.Expr, module: tvm.IRModule) -> list[relax.Expr]:
    """The tensors whose values, each mapped by itself, are those of ``value``; none where there is no such tensor."""
    if isinstance(value, relax.Var):
        return [value]
    if isinstance(value, relax.TupleGetItem):
        return [value.tuple_value]
    name, read = op_name(value), list(variables(value))
    if not name or name in MOVES or name == "relax.nn.pad" or is_nearest(value) or is_moving_kernel(value, module):
        return read
    return read if is_elementwise(name, dtype(value)) and len(read) == 1 else []
