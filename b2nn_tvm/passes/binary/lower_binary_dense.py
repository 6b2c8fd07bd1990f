"""Rewrite a dense layer of signs as a binary 1x1 convolution over an image of one row, which the next pass lowers.

    matmul(sign(x[..., K]), w[K, O] = -alpha[o] or +alpha[o])
        ->  reshape(multiply(nn.conv2d(sign(reshape(x, [1, 1, N, K])), w' = -1 or +1), alpha), [..., O])
    matmul(add(multiply(sign(x), a), b), w)  ->  the same for w * a[k], plus sum over k of b[k] * w[k, o]
    matmul(w[O, K], x[..., K, M])            ->  permute_dims(matmul(permute_dims(x), w^T))

``a`` and ``b`` are numbers, or one number per input. The weights may also have two values per output, or be ternary:
then the layer is a sum of two convolutions (passes/patterns/sign_terms.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NHWC, NO_BINARY_DENSE, SIGN_IS_BINARY
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.patterns.sign_terms import SignTerm, sign_terms
from b2nn_tvm.provenance.layer_names import split_sign_and_scale
from b2nn_tvm.relax_query import constant, dtype, ints, op_name, shape


@tvm.transform.module_pass(opt_level=0, name="LowerBinaryDense")
class LowerBinaryDense(CompilerPass):
    """Rewrite dense layers whose input is a sign and whose weights have one magnitude, or two or three values, per
    output.
    """

    requires = (NHWC, SIGN_IS_BINARY)
    ensures = (NO_BINARY_DENSE,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        recorder = self.recorder("is binary: signs by weights of ±alpha, as a convolution of one row")
        return rewrite_calls(module, self._rewrite, recorder)

    def _rewrite(self, call: relax.Call, context: RewriteContext) -> relax.Expr | None:
        if op_name(call) != "relax.matmul" or dtype(call) != "float32" or len(shape(call)) < 2:
            return None
        left, right = (constant(arg) for arg in call.args)
        if right is not None and right.ndim == 2:
            found = match_signs(call.args[0], context)
            result = None if found is None else self._of_signs(found, right, shape(call), context)
            if result is None:
                self._explain(call, right, found, context)
            return result
        if left is None or left.ndim != 2:
            return None
        *batch, rows, columns = range(len(shape(call)))
        turned = context.emit(relax.op.permute_dims(call.args[1], [*batch, columns, rows]))
        found = match_signs(turned, context)
        if found is None:
            return None
        *outer, outputs, others = shape(call)
        result = self._of_signs(found, left.T, (*outer, others, outputs), context)
        return None if result is None else relax.op.permute_dims(context.emit(result), [*batch, columns, rows])

    def _explain(self, call: relax.Call, weight: np.ndarray, found: Signs | None, context: RewriteContext) -> None:
        """Note why a dense layer by ``weight`` [K, O] stays float."""
        data = context.definition(call.args[0])
        source = op_name(data).removeprefix("relax.").removeprefix("nn.") or "another kernel"
        if found is not None:
            per_input = split_sign_and_scale(weight) is not None
            magnitudes = "have one magnitude per input, not per output" if per_input else "are not ±alpha"
            reason = f"its input is a sign, but its weights {magnitudes}"
        elif isinstance(data, relax.Call):
            reason = f"its input is not a sign: it comes from {source}"
        else:
            reason = "its input is not a sign: it is the input of the network"
        name = self.context.log.next_layer_name("DenseReason", weight.T)
        self.context.kernels.reasons[name] = reason
        context.note(reason)

    def _of_signs(
        self, found: Signs, weight: np.ndarray, full: tuple[int, ...], context: RewriteContext
    ) -> relax.Expr | None:
        """The dense layer of signs by ``weight`` [K, O]; ``full`` is the shape of its result."""
        scaled = weight * found.scale[:, None] if found.scale.ndim else weight
        terms = sign_terms(np.ascontiguousarray(scaled.T))
        if not terms:
            return None
        if len(terms) > 1 or found.scale.ndim:
            context.note("is binary: its weights have two values per output, or three" if len(terms) > 1 else "")
            self.context.name_parts(weight.T, {term.suffix: term.signs for term in terms})
        rows, inputs, outputs = math.prod(full[:-1]), *weight.shape
        row = context.emit(relax.op.reshape(found.source, (1, 1, rows, inputs)))
        if found.threshold.any():
            threshold = np.broadcast_to(found.threshold, inputs).reshape(1, 1, 1, -1)
            row = context.emit(relax.op.subtract(row, relax.const(np.ascontiguousarray(threshold))))
        binary = context.emit(relax.op.sign(row))
        factor = 1 if found.scale.ndim else found.scale
        parts = [context.emit(_convolved(binary, term, factor, context)) for term in terms]
        y = parts[0] if len(parts) == 1 else context.emit(relax.op.add(*parts))
        if found.offset.any():
            constant_part = np.broadcast_to(found.offset, inputs).astype(np.float64) @ weight
            y = context.emit(relax.op.add(y, relax.const(constant_part.astype(np.float32).reshape(1, 1, 1, outputs))))
        return relax.op.reshape(y, full)


@dataclass(frozen=True, eq=False)
class Signs:
    """``sign(source - threshold) * scale + offset``; each of the three is one number or one per input, float32."""

    source: relax.Expr
    threshold: np.ndarray
    scale: np.ndarray
    offset: np.ndarray


def match_signs(expr: relax.Expr, context: RewriteContext, *, axis: int = -1) -> Signs | None:
    """The parts of a tensor of signs, with a scale and an offset that vary along ``axis`` at most; None for others."""
    call = context.definition(expr)
    if op_name(call) == "relax.permute_dims" and call.attrs.axes is not None:
        axes = ints(call.attrs.axes)
        inner = match_signs(call.args[0], context, axis=axes[axis])
        if inner is None:
            return None
        moved = context.emit(relax.op.permute_dims(inner.source, axes))
        return Signs(moved, inner.threshold, inner.scale, inner.offset)
    scale, offset, value = np.ones((), np.float32), np.zeros((), np.float32), context.definition(expr)
    for name in ("relax.add", "relax.multiply"):
        if op_name(value) == name:
            given = _along(constant(value.args[1]), shape(value), axis)
            if given is None:
                return None
            scale, offset = (given, offset) if name == "relax.multiply" else (scale, given)
            value = context.definition(value.args[0])
    if op_name(value) != "relax.sign":
        return None
    source, threshold = value.args[0], np.zeros((), np.float32)
    shifted = context.definition(source)
    if op_name(shifted) == "relax.subtract":
        given = _along(constant(shifted.args[1]), shape(shifted), axis)
        source, threshold = (source, threshold) if given is None else (shifted.args[0], given)
    return Signs(source, threshold, scale, offset)


def _along(value: np.ndarray | None, full: tuple[int, ...], axis: int) -> np.ndarray | None:
    """A constant as one number or as one for each place along ``axis``; None where it varies along other axes."""
    if value is None or value.dtype != np.float32:
        return None
    if value.size and (value == value.flat[0]).all():
        return np.asarray(value.flat[0])
    aligned = value.reshape((1,) * (len(full) - value.ndim) + value.shape)
    return value.reshape(-1) if value.size == full[axis] == aligned.shape[axis] else None


def _convolved(binary: relax.Expr, term: SignTerm, factor: np.ndarray | int, context: RewriteContext) -> relax.Expr:
    filters = relax.const(np.ascontiguousarray(term.signs.T[None, None]))
    conv = relax.op.nn.conv2d(binary, filters, data_layout="NHWC", kernel_layout="HWIO", out_layout="NHWC")
    scale = (term.scale * factor).astype(np.float32)
    if (scale == 1).all():
        return conv
    return relax.op.multiply(context.emit(conv), relax.const(scale.reshape(1, 1, 1, -1)))
