"""Let a binary layer read signs where its input has two values in any other form.

    R.nn.conv2d(x = a or b, w)  ->  R.add(R.multiply(R.nn.conv2d(s, w), (b - a) / 2), (a + b) / 2 * sums of w)

s = R.sign(y - t) where x is a step function of y, else R.sign(x - b), which is +1 where x is b. So activations of 0 and
1 (Zhou et al., DoReFa-Net) and of two learned values (Tu et al., AdaBin) become signs, and so do signs that were moved:
concatenated, split, sliced, gathered, shuffled, repeated. Around the image there are zeros: as one of the two values
they are a padding of signs; else the sums of w are those of the taps inside of the image, [1, O, H, W].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NCHW, SIGN_IS_BINARY
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls, with_attributes
from b2nn_tvm.passes.patterns.binary_inputs import has_bits
from b2nn_tvm.passes.patterns.possible_values import PossibleValues
from b2nn_tvm.passes.patterns.sign_patterns import has_binary_groups, is_depthwise, make_pad, match_pad
from b2nn_tvm.passes.patterns.sign_terms import sign_terms
from b2nn_tvm.passes.patterns.step_function import step_function
from b2nn_tvm.relax_query import constant, dtype, four, op_name, pair, shape

_TWO = 2


@tvm.transform.module_pass(opt_level=0, name="ReadTwoValues")
class ReadTwoValues(CompilerPass):
    """Rewrite layers with weights of ±alpha, and convolutions with two values per output channel, whose input has two
    values and is no R.sign yet.
    """

    requires = (NCHW, SIGN_IS_BINARY)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        recorder = self.recorder("the two values of its input are a sign, scaled and shifted behind it")
        return rewrite_calls(module, _Rule(module).apply, recorder)


@dataclass(frozen=True, eq=False)
class _TwoValues:
    """A tensor as ``scale * signs + offset``."""

    signs: relax.Expr
    scale: np.float32
    offset: np.float32


class _Rule:
    """The rule for one module; it remembers the values of its tensors."""

    def __init__(self, module: tvm.IRModule):
        self._module = module
        self._possible: PossibleValues | None = None

    def apply(self, call: relax.Call, context: RewriteContext) -> relax.Expr | None:
        if op_name(call) not in ("relax.nn.conv2d", "relax.matmul") or dtype(call.args[0]) != "float32":
            return None
        data = context.definition(call.args[0])
        pad = match_pad(data)
        image = call.args[0] if pad is None else pad.data
        bits = has_bits(call)
        if op_name(context.definition(image)) == "relax.sign" or not (bits or op_name(call) == "relax.nn.conv2d"):
            return None
        self._possible = self._possible or PossibleValues(context.definition, self._module)
        values = self._possible.few(image)
        if values is None or len(values) != 2 or (pad is not None and pad.value not in values):
            return None
        if not bits and not _has_sign_terms(call, padded=pad is None and any(four(call.attrs.padding)), values=values):
            return None
        found = _two_values(image, values, context)
        signs = found.signs
        if pad is not None:
            signs = context.emit(make_pad(signs, pad.widths, float((pad.value - found.offset) / found.scale)))
        return _behind(call, found, signs, values, context)


def _has_sign_terms(call: relax.Call, *, padded: bool, values: np.ndarray) -> bool:
    """Whether the weights of a convolution have two values per output channel, so that the layer is two binary ones, or
    three, and the padding with 0 keeps it from being one of few bits.
    """
    weight = constant(call.args[1])
    if weight is None or is_depthwise(call, weight) or not has_binary_groups(call):
        return False
    terms = sign_terms(weight)
    one_filter = len(terms) == _TWO and len(terms[1].signs) == 1  # of ones: that of the box sums
    return (one_filter and call.attrs.groups == 1) or (len(terms) == _TWO and padded and 0.0 not in values)


def _two_values(image: relax.Expr, values: np.ndarray, context: RewriteContext) -> _TwoValues:
    """The signs of a tensor of two values, by its threshold where it is a step function of another tensor."""
    step = step_function(image, context.definition)
    source, threshold = image, np.asarray(values[1], np.float32)
    low, high = values.astype(np.float32)
    if step is not None and step.exact and all(np.unique(side).size == 1 for side in (step.low, step.high)):
        source, low, high = step.source, step.low[0], step.high[0]
        threshold = (
            step.begin[:1].reshape(()) if step.begin.size == 1 else _along(step.begin, step.axis, len(shape(source)))
        )
    elif low < 0 <= high:
        threshold = np.zeros((), np.float32)
    if threshold.any():
        source = context.emit(relax.op.subtract(source, relax.const(threshold)))
    scale, offset = (np.float64(high) - low) / 2, (np.float64(high) + low) / 2
    return _TwoValues(context.emit(relax.op.sign(source)), np.float32(scale), np.float32(offset))


def _behind(
    call: relax.Call, found: _TwoValues, signs: relax.Expr, values: np.ndarray, context: RewriteContext
) -> relax.Expr:
    """The layer on signs, and behind it the scale and the offset times the sums of its weights."""
    weight = np.asarray(constant(call.args[1]))
    attrs = call.attrs
    if op_name(call) == "relax.matmul":
        layer = relax.Call(call.op, [signs, call.args[1]], attrs)
        sums = weight.sum(axis=-2, dtype=np.float64)
    else:
        top, left, bottom, right = padding = four(attrs.padding)
        outer = 0.0 in values and found.offset != 0
        if any(padding) and outer:
            widths = ((0, 0), (0, 0), (top, bottom), (left, right))
            signs = context.emit(make_pad(signs, widths, float(-found.offset / found.scale)))
            layer = with_attributes(relax.Call(call.op, [signs, call.args[1]], attrs), padding=[0, 0, 0, 0])
        else:
            layer = relax.Call(call.op, [signs, call.args[1]], attrs)
        sums = weight.sum(axis=1, dtype=np.float64)  # [O, kh, kw]
        sums = sums.sum(axis=(1, 2))[None, :, None, None] if outer or not any(padding) else _inside(call, sums)
    result = layer
    if found.scale != 1:
        result = relax.op.multiply(context.emit(result), relax.const(found.scale))
    if found.offset != 0 and sums.any():
        shift = (sums * found.offset).astype(np.float32)
        if op_name(call) == "relax.matmul":
            shift = shift.reshape((1,) * (len(shape(call)) - 1) + (-1,))
        result = relax.op.add(context.emit(result), relax.const(shift))
    return result


def _inside(call: relax.Call, sums: np.ndarray) -> np.ndarray:
    """The sums [O, kh, kw] over the taps that lie inside of the image, for each output: [1, O, H, W]."""
    top, left, _, _ = four(call.attrs.padding)
    masks = []
    for axis, before in ((0, top), (1, left)):
        size, count = shape(call.args[0])[2 + axis], shape(call)[2 + axis]
        stride, dilation = pair(call.attrs.strides)[axis], pair(call.attrs.dilation)[axis]
        place = np.arange(count)[:, None] * stride + np.arange(sums.shape[1 + axis]) * dilation - before
        masks.append(((place >= 0) & (place < size)).astype(np.float64))
    rows, columns = masks
    return np.asarray(np.einsum("oij,hi,wj->ohw", sums, rows, columns, optimize=True)[None])


def _along(values: np.ndarray, axis: int, rank: int) -> np.ndarray:
    form = [1] * rank
    form[axis] = -1
    return values.reshape(form)
