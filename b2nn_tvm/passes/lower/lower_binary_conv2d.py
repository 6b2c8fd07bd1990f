"""Lower each canonical binary convolution (NHWC) to packed bits: pack_signs once per input, then bconv2d.

sign(x - t) [-> pad with -1 or +1] -> nn.conv2d(w = -1 or +1)
    ->  call_tir(pack_signs, x, t);  call_tir(bconv2d, packed x, packed w, border)  cast to float32
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tvm
from tvm import relax, te, topi

from b2nn_tvm.kernel_attrs import ROLE, Role
from b2nn_tvm.ops import bit_layout
from b2nn_tvm.ops.bconv2d import bconv2d
from b2nn_tvm.ops.bconv2d_lookup import lookup_table, to_nibbles
from b2nn_tvm.ops.pack_signs import pack_signs
from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NHWC, NO_BINARY_CONV, SIGN_IS_BINARY
from b2nn_tvm.passes.framework.op_pattern import OpPattern
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.lower.lower_pooled_signs import lower_pooled_signs
from b2nn_tvm.passes.patterns.sign_patterns import PooledSigns, all_signs, match_pooled_signs, oihw
from b2nn_tvm.provenance.kernel_layers import KernelLayerIndex
from b2nn_tvm.relax_query import constant, four, ints, op_name, pair, shape
from b2nn_tvm.workload import ConvWorkload


@dataclass(frozen=True)
class BinaryInput:
    """The input of a binary convolution: the float tensor, its thresholds per channel, the padding of its signs, and
    their max pooling, if any.
    """

    source: relax.Expr
    threshold: np.ndarray
    padding: tuple[int, int, int, int]
    pad_value: int
    pooled: PooledSigns | None = None


@tvm.transform.module_pass(opt_level=0, name="LowerBinaryConv2d")
class LowerBinaryConv2d(CompilerPass):
    """Lower every convolution of signs by -1 and +1; the index of kernels learns the layer of the packed weights."""

    requires = (NHWC, SIGN_IS_BINARY)
    ensures = (NO_BINARY_CONV,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        lowering = _Lowering(self.context.layout, self.context.kernels)
        return rewrite_calls(module, lowering.rule, self.recorder("lowered to popcounts of packed bits"))


class _Lowering:
    """The rule for one module; it remembers the inputs that are packed already."""

    def __init__(self, layout: VectorLayout, kernels: KernelLayerIndex):
        self._layout = layout
        self._kernels = kernels
        self._packed: dict[tuple[Any, ...], relax.Var] = {}

    def rule(self, call: relax.Call, context: RewriteContext) -> relax.Expr | None:
        if op_name(call) != "relax.nn.conv2d" or call.attrs.data_layout != "NHWC" or int(call.attrs.groups) != 1:
            return None
        weight = constant(call.args[1])
        if weight is None or not all_signs(weight):
            return None
        found = match_binary_input(call, context)
        if found is None:
            return None
        filters = oihw(weight, "HWIO")
        signs = np.ascontiguousarray(filters)
        workload = conv_workload(call, found.pooled.pool if found.pooled else found.source, padding=found.padding)
        lanes = self._layout.binary_lanes(workload.out_channels)
        packed_weight = bit_layout.pack_weights(signs.astype(np.int8), word=self._layout.word, lanes=lanes)
        if self._layout.lookup:
            packed_weight = to_nibbles(packed_weight)
        self._kernels.add(packed_weight, filters, op="conv2d", precision="binary", workload=workload.key)
        border = bit_layout.border(signs, workload, pad_value=found.pad_value, lanes=lanes)
        step = workload.stride if skips_pixels(workload) and not found.pooled else (1, 1)
        if step != (1, 1):
            workload = replace(workload, in_height=workload.out_height, in_width=workload.out_width, stride=(1, 1))
        arguments = [self._pack(found, step, context), relax.const(packed_weight)]
        if self._layout.lookup:
            arguments.append(relax.const(lookup_table(lanes)))
        if not border.uniform:
            arguments += [relax.const(border.table), relax.const(border.rows), relax.const(border.columns)]
        single = int(border.table.flat[0])

        def compute(x: te.Tensor, w: te.Tensor, *others: te.Tensor) -> te.Tensor:
            table, *of_border = others if self._layout.lookup else (None, *others)
            constant, *classes = of_border or (single,)
            return topi.cast(bconv2d(x, w, constant, *classes, workload=workload, table=table), "float32")

        attrs = {ROLE: str(Role.CONVOLUTION)}
        pattern = OpPattern.OUT_ELEMENTWISE_FUSABLE
        return context.call_te(compute, *arguments, name="bconv2d", pattern=pattern, attrs=attrs)

    def _pack(self, found: BinaryInput, step: tuple[int, int], context: RewriteContext) -> relax.Var:
        """The packed form of every ``step``-th row and column of an input; it is made once, however many convolutions
        read it.
        """
        pool = found.pooled and found.pooled.pool
        key = (found.source, found.threshold.tobytes(), found.padding, found.pad_value == 1, pool, step)
        if key not in self._packed:
            batch, height, width, channels = shape(found.source)
            top, left, bottom, right = padding = (0, 0, 0, 0) if found.pooled else found.padding
            words = bit_layout.words_of(channels, word=self._layout.word)
            kernel = pack_signs(
                (batch, height, width, channels),
                padding,
                word=self._layout.word,
                pad_value=found.pad_value,
                stride=step,
            )
            rows, columns = -(-height // step[0]) + top + bottom, -(-width // step[1]) + left + right
            out = relax.TensorType((batch, rows, columns, words), self._layout.word)
            call = context.call_kernel(kernel, found.source, relax.const(found.threshold), name="pack_signs", out=out)
            self._packed[key] = context.emit(call)
            if found.pooled:
                pool = lower_pooled_signs(
                    found.pooled, self._packed[key], context, border=found.padding, pad_value=found.pad_value
                )
                self._packed[key] = context.emit(pool)
        return self._packed[key]


def skips_pixels(workload: ConvWorkload) -> bool:
    """Whether there are pixels that no output reads, so that they need not be packed."""
    return workload.kernel == (1, 1) and workload.stride != (1, 1) and not any(workload.padding)


def match_binary_input(call: relax.Call, context: RewriteContext) -> BinaryInput | None:
    """The input of a convolution, if it is a sign: ``[pad](sign(x | x - t))``; None otherwise."""
    data = context.definition(call.args[0])
    padding, pad_value = four(call.attrs.padding), 0
    if op_name(data) == "relax.nn.pad":
        value = float(data.attrs.pad_value)
        width = ints(data.attrs.pad_width)
        if any(padding) or value not in (1.0, -1.0) or any(width[:2] + width[6:]):
            return None
        padding, pad_value = (width[2], width[4], width[3], width[5]), int(value)
        data = context.definition(data.args[0])
    pooled = match_pooled_signs(data, context.definition)
    data = pooled.sign if pooled else data
    if op_name(data) != "relax.sign":
        return None
    source = data.args[0]
    channels = shape(source)[3]
    threshold = np.zeros(channels, np.float32)
    before = context.definition(source)
    if op_name(before) == "relax.subtract":
        limit = constant(before.args[1])
        if limit is not None and limit.size in (1, channels) and limit.shape[-1:] in ((), (1,), (channels,)):
            threshold = np.broadcast_to(limit.reshape(-1), channels).astype(np.float32)
            source = before.args[0]
    return BinaryInput(source, threshold, padding, pad_value, pooled)


def conv_workload(call: relax.Call, source: relax.Expr, *, padding: tuple[int, int, int, int]) -> ConvWorkload:
    """The workload of an NHWC convolution over ``source`` with the given (top, left, bottom, right) padding."""
    batch, height, width, channels = shape(source)
    kernel_height, kernel_width, _, outputs = shape(call.args[1])
    return ConvWorkload(
        batch,
        channels,
        height,
        width,
        outputs,
        (kernel_height, kernel_width),
        pair(call.attrs.strides),
        padding,
        pair(call.attrs.dilation),
        int(call.attrs.groups),
    )
