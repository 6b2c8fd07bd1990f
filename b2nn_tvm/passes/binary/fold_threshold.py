"""Fold batch norm and sign behind a binary convolution into an integer threshold (NHWC, where nothing else reads the
value).

    sign(add(multiply(nn.conv2d(s, w = -1 or +1), g), b))  ->  sign(subtract(nn.conv2d(s, w'), t))     t integers

s are signs, so y = conv(s, w) is an integer, so g * y + b >= 0 is y >= t for g > 0, with t the smallest integer that
satisfies it. For g < 0 the filter's signs are flipped (y' = -y); for g = 0 the threshold is out of reach on one side
(Umuroglu et al., FINN, section 4.2.2). t is found with the float32 arithmetic that it replaces, so the folded sign is
the same also where g * y + b rounds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NHWC, SIGN_IS_BINARY
from b2nn_tvm.passes.framework.recorder import BEFORE
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.patterns.sign_patterns import is_binary_conv
from b2nn_tvm.relax_query import constant, op_name, reads, shape


@tvm.transform.module_pass(opt_level=0, name="FoldThreshold")
class FoldThreshold(CompilerPass):
    """Rewrite sign(affine(binary conv)) where the convolution and the affine map have no other reader."""

    requires = (NHWC, SIGN_IS_BINARY)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        recorder = self.recorder("scale, shift and sign behind it are one comparison of integers", of=BEFORE)
        count = reads(module["main"])
        single = lambda expr: isinstance(expr, relax.Var) and count[expr] == 1
        return rewrite_calls(module, lambda call, context: _fold(call, context, single), recorder)


def _fold(call: relax.Call, context: RewriteContext, single: Callable[[relax.Expr], bool]) -> relax.Expr | None:
    if op_name(call) != "relax.sign":
        return None
    value, threshold = call.args[0], np.zeros(1, np.float32)
    before = context.definition(value)
    subtracted = constant(before.args[1]) if op_name(before) == "relax.subtract" else None
    if subtracted is not None:
        value, threshold = before.args[0], subtracted
    affine = _affine(value, context, single) if single(call.args[0]) else None
    weight = None if affine is None else constant(affine[0].args[1])
    if affine is None or weight is None:
        context.note(*_obstacle(value, context))
        return None
    conv, gain, bias = affine
    outputs = weight.shape[3]
    reach = int(np.prod(weight.shape[:3]))
    gain = np.broadcast_to(gain.reshape(-1), outputs).astype(np.float32)
    bias = np.broadcast_to(np.asarray(bias, np.float32).reshape(-1), outputs)
    threshold = np.broadcast_to(np.asarray(threshold, np.float32).reshape(-1), outputs)
    limit = integer_thresholds(gain, bias, threshold, reach)
    flipped = np.where(gain < 0, -weight, weight).astype(np.float32)
    integers = context.emit(relax.Call(conv.op, [conv.args[0], relax.const(flipped)], conv.attrs))
    shifted = context.emit(relax.op.subtract(integers, relax.const(limit.reshape(1, 1, 1, -1))))
    return relax.op.sign(shifted)


def integer_thresholds(gain: np.ndarray, bias: np.ndarray, threshold: np.ndarray, reach: int) -> np.ndarray:
    """float32 [O] integers t: for y in [-reach, reach], gain * y + bias >= threshold if and only if y' >= t, where y'
    is y, or -y where gain < 0. All arrays are float32 [O]; the arithmetic is float32, too, with one rounding after each
    operation.
    """
    y = np.arange(-reach, reach + 1, dtype=np.float32)
    size = np.abs(gain).astype(np.float32)
    with np.errstate(over="ignore"):  # infinite, as in the kernels
        reached = size[:, None] * y + bias[:, None] >= threshold[:, None]
    first = reached.argmax(axis=1)
    never = ~reached.any(axis=1)
    return np.where(never, reach + 1, first - reach).astype(np.float32)


def _affine(
    value: relax.Expr, context: RewriteContext, single: Callable[[relax.Expr], bool]
) -> tuple[relax.Call, np.ndarray, np.ndarray] | None:
    """(binary conv, gain, bias) of add(multiply(conv, gain), bias) where each step is read once; either step may be
    missing.
    """
    gain, bias = np.ones(1, np.float32), np.zeros(1, np.float32)
    step, found = context.definition(value), False
    for name in ("relax.add", "relax.multiply"):
        if op_name(step) != name:
            continue
        factor = constant(step.args[1])
        if factor is None or not single(value) or not _per_channel(factor, shape(value)):
            return None
        gain, bias = (factor, bias) if name == "relax.multiply" else (gain, factor)
        value, step, found = step.args[0], context.definition(step.args[0]), True
    if (
        not found
        or not single(value)
        or not is_binary_conv(step, context.definition)
        or step.attrs.data_layout != "NHWC"
    ):
        return None
    return step, gain, bias


def _obstacle(value: relax.Expr, context: RewriteContext) -> tuple[str, relax.Call | None]:
    """The reason why the sign of a value stays a comparison of floats, and the binary convolution before it; ("", None)
    where there is no such convolution.
    """
    step = context.definition(value)
    summed = op_name(step) == "relax.add" and constant(step.args[1]) is None
    for arg in step.args if summed else [value]:
        affine = _affine(arg, context, lambda expr: True)
        if affine is not None:
            why = "another tensor is added behind it" if summed else "its result is read as floats, too"
            return f"{why}, so its sign stays a comparison of floats", affine[0]
    return "", None


def _per_channel(value: np.ndarray, full: tuple[int, ...]) -> bool:
    return value.size == 1 or (value.size == full[-1] and value.shape[-1] == full[-1])
