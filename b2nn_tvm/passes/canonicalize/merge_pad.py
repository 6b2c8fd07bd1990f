"""Bring padding around a sign to one of two forms: zeros in the convolution itself, -1 or +1 in an nn.pad of the signs.

    R.nn.conv2d(R.nn.pad(x, 0), w, padding=p)  ->  R.nn.conv2d(x, w, padding=p + widths)
    R.sign(R.nn.pad(x, v))                     ->  R.nn.pad(R.sign(x), sign(v))
    R.nn.pad(R.nn.pad(x, v), v)                ->  R.nn.pad(x, v)

Asymmetric widths are kept. The second rewrite needs v to have the same sign in all channels.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import SIGN_IS_BINARY
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.patterns.sign_patterns import Pad, make_pad, match_pad, spatial_axes
from b2nn_tvm.relax_query import constant, ints, op_name


@tvm.transform.module_pass(opt_level=0, name="MergePad")
class MergePad(CompilerPass):
    """Merge zero padding into convolutions, and move padding in front of a sign behind the sign."""

    requires = (SIGN_IS_BINARY,)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        recorder = self.recorder("padding in front of it is its own, applied to the signs")
        return rewrite_calls(module, _merge, recorder)


def _merge(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    if op_name(call) == "relax.nn.conv2d":
        return _into_conv(call, match_pad(context.definition(call.args[0])))
    if op_name(call) == "relax.sign":
        return _behind_sign(call, context)
    outer = match_pad(call)
    inner = None if outer is None else match_pad(context.definition(outer.data))
    if outer is None or inner is None or inner.value != outer.value or not (_grows(inner) and _grows(outer)):
        return None
    widths = tuple((a + c, b + d) for (a, b), (c, d) in zip(inner.widths, outer.widths))
    return make_pad(inner.data, widths, inner.value)


def _into_conv(call: relax.Call, pad: Pad | None) -> relax.Expr | None:
    if pad is None or pad.value != 0 or not _grows(pad):
        return None
    attrs = call.attrs
    height, width = spatial_axes(str(attrs.data_layout))
    if any(widths != (0, 0) for axis, widths in enumerate(pad.widths) if axis not in (height, width)):
        return None
    (top, bottom), (left, right) = pad.widths[height], pad.widths[width]
    padding = [own + more for own, more in zip(ints(attrs.padding), (top, left, bottom, right))]
    return relax.op.nn.conv2d(
        pad.data,
        call.args[1],
        ints(attrs.strides),
        padding,
        ints(attrs.dilation),
        int(attrs.groups),
        str(attrs.data_layout),
        str(attrs.kernel_layout),
        str(attrs.out_layout),
        attrs.out_dtype,
    )


def _behind_sign(call: relax.Call, context: RewriteContext) -> relax.Expr | None:
    source, threshold = call.args[0], np.zeros((), np.float32)
    shifted = context.definition(source)
    subtracted = constant(shifted.args[1]) if op_name(shifted) == "relax.subtract" else None
    if subtracted is not None:
        source, threshold = shifted.args[0], subtracted
    pad = match_pad(context.definition(source))
    if pad is None or not _grows(pad):
        return None
    above = np.asarray(np.float32(pad.value) >= threshold)
    if above.min() != above.max() or not _constant_where_padded(threshold, pad):
        return None
    inner = pad.data if subtracted is None else context.emit(relax.op.subtract(pad.data, shifted.args[1]))
    return make_pad(context.emit(relax.op.sign(inner)), pad.widths, 1.0 if above.max() else -1.0)


def _constant_where_padded(threshold: np.ndarray, pad: Pad) -> bool:
    aligned = (1,) * (len(pad.widths) - threshold.ndim) + threshold.shape
    return all(size == 1 or widths == (0, 0) for size, widths in zip(aligned, pad.widths))


def _grows(pad: Pad) -> bool:
    return all(width >= 0 for pair in pad.widths for width in pair)
