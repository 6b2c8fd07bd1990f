"""Bring every spelling of a binary sign to the marker R.sign, which means +1 where its argument is >= 0, else -1.

    where(x >= 0, 1, -1)             ->  R.sign(x)
    where(x < 0, -1, 1)              ->  R.sign(x)
    2 * cast(x >= 0) - 1             ->  R.sign(x)
    (where(x >= 0, 1, -1) - g) + g   ->  R.sign(x)                                 straight-through estimator
    where(x >= t, 1, -1)             ->  R.sign(R.subtract(x, t))                  t per channel: [1, C, 1, 1]
    where(x + b >= 0, 1, -1)         ->  R.sign(R.subtract(x, -b))
    where(x > t, 1, -1)              ->  R.sign(R.subtract(x, next float above t))
    where(x >= 0, a, -a)             ->  R.multiply(R.sign(x), a)
    cast(x > 0) - cast(x < 0)            stays: it is 0 at 0

``x - t >= 0`` equals ``x >= t`` for all finite floats as long as subnormal numbers are kept, and ``x > t`` equals
``x >= next float above t``; so these are exact. At NaN the result is -1, whatever the spelling said.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.kernel_attrs import SIGN_MEANING
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import CONSTANTS_FOLDED, NCHW, SIGN_IS_BINARY
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.patterns.step_function import step_function
from b2nn_tvm.relax_query import constant, dtype, op_name, per_channel, shape, uniform

_BIASED = ("relax.nn.conv2d", "relax.matmul", "relax.multiply", "relax.divide")


@tvm.transform.module_pass(opt_level=0, name="CanonicalizeSign")
class CanonicalizeSign(CompilerPass):
    """Rewrite the spellings of a sign to R.sign, and note its meaning in the module, which holds from here to
    LegalizeSign.

    Ternary signs and 0/1 activations stay as they are. The R.sign that the importer makes has the same meaning.
    """

    requires = (NCHW, CONSTANTS_FOLDED)
    ensures = (SIGN_IS_BINARY,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        recorder = self.recorder("a comparison in front of it is read as the sign of its input")
        return rewrite_calls(module, _canonical, recorder).with_attr(SIGN_MEANING, "binary")


def _canonical(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    if op_name(call) == "relax.sign":
        return _threshold_form(call, context)
    if dtype(call) != "float32" or _is_canonical(call, context):
        return None
    step = step_function(call, context.definition)
    if step is None:
        return None
    below, at, above = step.values
    if above == 0 or not np.isfinite(above) or below != -above or abs(at) != abs(above):
        return None
    # The marker is +1 at its threshold: where the value there is the lower one, the step is at the next float above.
    threshold = step.threshold if at == above else np.nextafter(step.threshold, np.float32(np.inf))
    sign = _sign(step.source, threshold, context)
    shifted = _threshold_form(sign, context)
    sign = sign if shifted is None else shifted
    return sign if above == 1 else relax.op.multiply(context.emit(sign), relax.const(np.float32(above)))


def _is_canonical(call: relax.Call, context: RewriteContext) -> bool:
    scaled = op_name(call) == "relax.multiply" and uniform(call.args[1]) is not None
    return scaled and op_name(context.definition(call.args[0])) == "relax.sign"


def _sign(source: relax.Expr, threshold: np.ndarray, context: RewriteContext) -> relax.Expr:
    if not threshold.any():
        return relax.op.sign(source)
    return relax.op.sign(context.emit(relax.op.subtract(source, _broadcast(threshold, shape(source)))))


def _threshold_form(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    """``sign(x + b)`` -> ``sign(x - (-b))``, and the threshold gets the shape [1, C, 1, 1].

    Behind a convolution, a dense layer or a multiplication the addition stays: there it is a bias, computed with that
    operator.
    """
    shifted = context.definition(call.args[0])
    name = op_name(shifted)
    if name not in ("relax.add", "relax.subtract"):
        return None
    source, shift = shifted.args
    if name == "relax.add" and constant(source) is not None:
        source, shift = shift, source
    value = constant(shift)
    if value is None or not per_channel(value, len(shape(source))):
        return None
    if name == "relax.add" and op_name(context.definition(source)) in _BIASED:
        return None
    full = _broadcast(value if name == "relax.subtract" else -value, shape(source))
    if name == "relax.subtract" and full.value.shape == shift.value.shape:
        return None
    return relax.op.sign(context.emit(relax.op.subtract(source, full)))


def _broadcast(value: np.ndarray, full_shape: tuple[int, ...]) -> relax.Expr:
    """The value as a constant of the tensor's rank, spread over its channels where the value varies along no other
    axis.
    """
    value = value.reshape((1,) * (len(full_shape) - value.ndim) + value.shape)
    if len(full_shape) >= 2 and per_channel(value, len(full_shape)):
        value = np.broadcast_to(value, (1, full_shape[1]) + (1,) * (len(full_shape) - 2))
    return relax.const(np.ascontiguousarray(value))
