"""Bring every spelling of a binary sign to the marker R.sign, which means +1 where its argument is >= 0, else -1.

    where(x >= 0, 1, -1)             ->  R.sign(x)
    2 * cast(x >= 0) - 1             ->  R.sign(x)
    (where(x >= 0, 1, -1) - g) + g   ->  R.sign(x)                                 straight-through estimator
    (move(R.sign(x)) - g) + g        ->  move(R.sign(x))                           the same, of a sign that was moved
    where(x >= t, 1, -1)             ->  R.sign(R.subtract(x, t))                  t per channel: [1, C, 1, 1]
    where(x > t, 1, -1)              ->  R.sign(R.subtract(x, next float above t))
    where(x + b >= 0, 1, -1)         ->  R.sign(R.subtract(x, -b))
    where(x >= 0, a, -a)             ->  R.multiply(R.sign(x), a)
    cast(x > 0) - cast(x < 0)        ->  R.sign(x)                                 where a binary layer reads it
    x / abs(x)                       ->  R.sign(x)                                 where a binary layer reads it

A spelling is known by its values (``patterns/step_function.py``), and its threshold is exact: ``x - t >= 0`` equals
``x >= t`` for all finite floats as long as subnormal numbers are kept. At NaN the result is -1, whatever the spelling
said. The last two are something else at zero: 0 and NaN. There they become +1, unless zero is a structural value of x
(``patterns/possible_values.py``), as behind a ReLU: where it is none, an exact zero is a rounding error like any other.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.kernel_attrs import SIGN_MEANING
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import CONSTANTS_FOLDED, NCHW, SIGN_IS_BINARY
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.patterns.binary_inputs import binary_inputs
from b2nn_tvm.passes.patterns.chain import straight_through
from b2nn_tvm.passes.patterns.possible_values import PossibleValues
from b2nn_tvm.passes.patterns.step_function import StepFunction, step_function
from b2nn_tvm.provenance.rewrite_log import AT_THRESHOLD
from b2nn_tvm.relax_query import constant, dtype, op_name, per_channel, shape

_BIASED = ("relax.nn.conv2d", "relax.matmul", "relax.multiply", "relax.divide")


@tvm.transform.module_pass(opt_level=0, name="CanonicalizeSign")
class CanonicalizeSign(CompilerPass):
    """Rewrite the spellings of a sign to R.sign, and note its meaning in the module, which holds from here to
    LegalizeSign.

    Ternary signs stay where zero is structural, and activations of 0 and 1 stay as they are. The R.sign that the
    importer makes has the same meaning.
    """

    requires = (NCHW, CONSTANTS_FOLDED)
    ensures = (SIGN_IS_BINARY,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        recorder = self.recorder("a comparison in front of it is read as the sign of its input")
        rule = _Rule(module)
        return rewrite_calls(module, rule.apply, recorder).with_attr(SIGN_MEANING, "binary")


class _Rule:
    """The rule for one module; it remembers what is known of its tensors."""

    def __init__(self, module: tvm.IRModule):
        self._module = module
        self._read = binary_inputs(module)
        self._possible: PossibleValues | None = None

    def apply(self, call: relax.Call, context: RewriteContext) -> relax.Expr | None:
        if op_name(call) == "relax.sign":
            return _threshold_form(call, context)
        if dtype(call) != "float32" or _is_canonical(call, context):
            return None
        step = step_function(call, context.definition)
        if step is None:
            return self._moved_sign(call, context)
        if (step.low != -step.high).any() or np.unique(np.abs(step.high)).size != 1:
            return None
        if not step.exact and not self._is_tie(step, context):
            return None
        threshold = _broadcast(step.threshold, step.axis, shape(step.source))
        sign = _sign(step.source, threshold, context)
        shifted = _threshold_form(sign, context)
        sign = sign if shifted is None else shifted
        scale = step.high[:1] if np.unique(step.high).size == 1 else step.high
        if (scale == 1).all():
            return sign
        factor = scale.reshape(()) if scale.size == 1 else _broadcast(scale, step.axis, shape(step.source))
        return relax.op.multiply(context.emit(sign), relax.const(factor))

    def _moved_sign(self, call: relax.Call, context: RewriteContext) -> relax.Expr | None:
        """The two values that a straight-through estimator means, where they are moved behind the sign."""
        meant = straight_through(call, context.definition)
        if meant is None:
            return None
        self._possible = self._possible or PossibleValues(context.definition, self._module)
        values = self._possible.few(meant)
        return meant if values is not None and len(values) == 2 else None

    def _is_tie(self, step: StepFunction, context: RewriteContext) -> bool:
        """Whether the values between the two are met by rounding errors alone; the upper one stands for them then."""
        if context.var not in self._read or not step.narrow:
            return False
        self._possible = self._possible or PossibleValues(context.definition, self._module)
        of_input = isinstance(context.definition(step.source), relax.Var)
        values = self._possible.of(step.source)
        if not (step.undefined and of_input) and (values is None or values.within(step.begin, step.end, step.axis)):
            return False
        what = "is not a number" if step.undefined else "is 0"
        context.note(f"the sign in front of it {what} {AT_THRESHOLD}: its input meets the threshold by rounding alone")
        return True


def _is_canonical(call: relax.Call, context: RewriteContext) -> bool:
    scaled = op_name(call) == "relax.multiply" and constant(call.args[1]) is not None
    return scaled and op_name(context.definition(call.args[0])) == "relax.sign"


def _sign(source: relax.Expr, threshold: np.ndarray, context: RewriteContext) -> relax.Expr:
    if not threshold.any():
        return relax.op.sign(source)
    return relax.op.sign(context.emit(relax.op.subtract(source, relax.const(threshold))))


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
    value, full = constant(shift), shape(source)
    if value is None or not per_channel(value, len(full)):
        return None
    if name == "relax.add" and op_name(context.definition(source)) in _BIASED:
        return None
    threshold = _broadcast((value if name == "relax.subtract" else -value).reshape(-1), 1, full)
    if name == "relax.subtract" and threshold.shape == value.shape:
        return None
    return relax.op.sign(context.emit(relax.op.subtract(source, relax.const(threshold))))


def _broadcast(value: np.ndarray, axis: int, full: tuple[int, ...]) -> np.ndarray:
    """The values [C] along ``axis`` in the rank of the tensor; one value is spread over the channels."""
    axis = 1 if axis < 0 else axis
    if len(full) < 2:
        return value
    form = [1] * len(full)
    form[axis] = full[axis]
    return np.ascontiguousarray(np.broadcast_to(value, full[axis])).reshape(form)
