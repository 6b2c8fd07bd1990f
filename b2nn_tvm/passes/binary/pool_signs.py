"""Take the sign of max-pooled values before the pooling, so that bits are pooled (NHWC, where only binary convolutions
read the sign).

    R.sign(R.nn.max_pool2d(x))  ->  R.nn.max_pool2d(R.sign(x))
    R.sign(R.add(R.multiply(R.nn.max_pool2d(x), g), b))
        ->  R.multiply(R.nn.max_pool2d(R.sign(R.subtract(R.add(R.multiply(x, |g|), b'), t))), m)

The maximum of bits is their OR, and the padding of a pooling is the bit 0. A map that falls (g < 0) turns the maximum
into a minimum: in those channels the opposite sign is pooled (b' = -b, and v < 0 is -v >= t for t the smallest positive
float) and turned back behind the pooling (m = -1, else +1). All these rewrites are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NHWC, SIGN_IS_BINARY
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.patterns.sign_patterns import is_binary_conv, match_pad
from b2nn_tvm.relax_query import calls, constant, definitions, op_name, per_channel, reads, shape, variables

Single = Callable[[relax.Expr], bool]


@tvm.transform.module_pass(opt_level=0, name="PoolSigns")
class PoolSigns(CompilerPass):
    """Rewrite the sign of a max pooling with at most one multiplication, one addition and one threshold between
    them.
    """

    requires = (NHWC, SIGN_IS_BINARY)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        recorder = self.recorder("the max pooling in front of it takes the OR of bits")
        count, signs = reads(module["main"]), _signs_of_binary_convs(module["main"])
        single = lambda expr: isinstance(expr, relax.Var) and count[expr] == 1
        return rewrite_calls(
            module, lambda call, context: _rule(call, context, single) if context.var in signs else None, recorder
        )


@dataclass(frozen=True, eq=False)
class _Map:
    """``multiply(pooled, gain) + bias - threshold``, each [C], None where absent; ``alone`` if no part has another
    reader.
    """

    pooled: relax.Call
    gain: np.ndarray | None
    bias: np.ndarray | None
    threshold: np.ndarray | None
    alone: bool


def _rule(call: relax.Call, context: RewriteContext, single: Single) -> relax.Expr | None:
    found = _match(call, context, single) if op_name(call) == "relax.sign" else None
    if found is None:
        return None
    if not found.alone:
        context.note("the max pooling in front of it takes the maximum of floats: its result is read as floats, too")
        return None
    falls = np.zeros(1, bool) if found.gain is None else found.gain < 0
    if falls.any():
        found = _rising(found, falls)
        context.note(
            "the max pooling in front of it takes the OR of bits, or the AND where the scale behind the pooling is"
            " negative"
        )
    value = found.pooled.args[0]
    for op, part in ((relax.op.multiply, found.gain), (relax.op.add, found.bias), (relax.op.subtract, found.threshold)):
        value = value if part is None else context.emit(op(value, _channels(part)))
    pooled = relax.Call(found.pooled.op, [context.emit(relax.op.sign(value))], found.pooled.attrs)
    return relax.op.multiply(context.emit(pooled), _channels(np.where(falls, -1, 1))) if falls.any() else pooled


def _rising(found: _Map, falls: np.ndarray) -> _Map:
    """The map ``found``, replaced by the map of the opposite sign in the channels where it ``falls``."""
    limit = np.zeros(1, np.float32) if found.threshold is None else found.threshold
    above = np.nextafter(-limit, np.float32(np.inf))
    gain = None if found.gain is None else np.abs(found.gain)
    bias = None if found.bias is None else np.where(falls, -found.bias, found.bias)
    return replace(found, gain=gain, bias=bias, threshold=np.where(falls, above, limit))


def _match(call: relax.Call, context: RewriteContext, single: Single) -> _Map | None:
    value, alone = call.args[0], True
    parts: dict[str, np.ndarray | None] = {}
    for name in ("relax.subtract", "relax.add", "relax.multiply"):
        alone, step = alone and single(value), context.definition(value)
        factor = constant(step.args[1]) if op_name(step) == name else None
        if factor is not None and not per_channel(factor, 4, 3):
            return None
        parts[name] = None if factor is None else np.broadcast_to(factor.reshape(-1), shape(step)[3:])
        value = value if factor is None else step.args[0]
    pooled = context.definition(value)
    if op_name(pooled) != "relax.nn.max_pool2d" or str(pooled.attrs.layout) != "NHWC":
        return None
    return _Map(pooled, parts["relax.multiply"], parts["relax.add"], parts["relax.subtract"], alone and single(value))


def _channels(values: np.ndarray) -> relax.Expr:
    return relax.const(np.ascontiguousarray(values, np.float32).reshape(1, 1, 1, -1))


def _signs_of_binary_convs(function: relax.Function) -> set[relax.Var]:
    """The signs, padded or not, that only binary convolutions read."""
    definition, signs, others = definitions(function), set(), set(variables(function.body.body))
    pads = {var: call.args[0] for var, call in calls(function) if match_pad(call) is not None}
    for block in function.body.blocks:
        for binding in block.bindings:
            if is_binary_conv(binding.value, definition):
                signs.add(pads.get(binding.value.args[0], binding.value.args[0]))
            elif binding.var not in pads:
                others.update(variables(binding.value))
    padded = {source for var, source in pads.items() if var in others}
    return signs - others - padded
