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
from tvm.tirx import Expr, Var

from b2nn_tvm.kernel_attrs import ROLE, Role
from b2nn_tvm.ops import bit_layout
from b2nn_tvm.ops.bconv2d import bconv2d
from b2nn_tvm.ops.bconv2d_lookup import lookup_table, to_nibbles
from b2nn_tvm.ops.pack_signs import PackGeometry, pack_codes, pack_signs
from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NHWC, NO_BINARY_CONV, SIGN_IS_BINARY
from b2nn_tvm.passes.framework.op_pattern import OpPattern
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.lower.lower_pooled_signs import lower_pooled_signs
from b2nn_tvm.passes.patterns.sign_patterns import PooledSigns, all_signs, has_binary_groups, match_pooled_signs, oihw
from b2nn_tvm.provenance.kernel_layers import KernelLayerIndex
from b2nn_tvm.relax_query import constant, dtype, four, ints, op_name, pair, shape
from b2nn_tvm.workload import ConvWorkload


@dataclass(frozen=True)
class BinaryInput:
    """The input of a binary convolution: the float tensor, its thresholds [C], the padding of its signs, and their max
    pooling, if any; or a plane of codes, of which the tensor may hold bytes.
    """

    source: relax.Expr
    threshold: np.ndarray
    padding: tuple[int, int, int, int]
    pad_value: int
    pooled: PooledSigns | None = None
    plane: CodePlane | None = None


@dataclass(frozen=True)
class CodePlane:
    """Bit ``index`` of codes of ``planes`` bits (ops/pack_signs.py), which are padded with ``pad_code``."""

    index: int
    planes: int
    pad_code: int


@dataclass(frozen=True)
class PartialSum:
    """A convolution that is one of several of a sum: its kernel writes, in int32, ``factor`` times its result and what
    the one ``before`` it wrote, added up.
    """

    factor: int
    before: relax.Expr | None


@dataclass
class LoweredLayer:
    """The layer that several convolutions belong to; ``name`` is found with the first of them."""

    filters: np.ndarray
    workload: ConvWorkload
    precision: str = "binary"
    name: str = ""


@tvm.transform.module_pass(opt_level=0, name="LowerBinaryConv2d")
class LowerBinaryConv2d(CompilerPass):
    """Lower every convolution of signs by -1 and +1; the index of kernels learns the layer of the packed weights."""

    requires = (NHWC, SIGN_IS_BINARY)
    ensures = (NO_BINARY_CONV,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        lowering = BinaryLowering(self.context.layout, self.context.kernels)
        return rewrite_calls(module, lowering.rule, self.recorder("lowered to popcounts of packed bits"))


class BinaryLowering:
    """The lowering of one module; it remembers the inputs that are packed already."""

    def __init__(self, layout: VectorLayout, kernels: KernelLayerIndex):
        self._layout = layout
        self._kernels = kernels
        self._packed: dict[tuple[Any, ...], relax.Var] = {}

    def rule(self, call: relax.Call, context: RewriteContext) -> relax.Expr | None:
        if op_name(call) != "relax.nn.conv2d" or call.attrs.data_layout != "NHWC" or not has_binary_groups(call):
            return None
        weight = constant(call.args[1])
        if weight is None or not all_signs(weight):
            return None
        found = match_binary_input(call, context)
        if found is None:
            return None
        filters = oihw(weight, "HWIO")
        workload = conv_workload(call, found.pooled.pool if found.pooled else found.source, padding=found.padding)
        if workload.groups == 1:
            return self.convolve(found, workload, filters, context, LoweredLayer(filters, workload))
        return self._in_groups(found, workload, filters, context)

    def convolve(
        self,
        found: BinaryInput,
        workload: ConvWorkload,
        filters: np.ndarray,
        context: RewriteContext,
        layer: LoweredLayer,
        partial: PartialSum | None = None,
    ) -> relax.Expr:
        """The convolution of an input without groups by signs [O, I, kh, kw], as a part of ``layer`` or all of it, in
        float32, or the ``partial`` sum, in int32.
        """
        packed = self.pack(found, step_of(found, workload), context)
        return self._convolve(found, workload, filters, packed, context, layer, partial)

    def _in_groups(
        self, found: BinaryInput, workload: ConvWorkload, filters: np.ndarray, context: RewriteContext
    ) -> relax.Expr:
        """One binary convolution for each group, and their results side by side.

        Where the groups begin at whole words, the input is packed once, and each group reads its words.
        """
        groups = workload.groups
        channels, outputs = workload.in_channels // groups, workload.out_channels // groups
        part = replace(workload, in_channels=channels, out_channels=outputs, groups=1)
        step, bits = step_of(found, workload), bit_layout.word_bits(self._layout.word)
        whole = self.pack(found, step, context) if channels % bits == 0 else None
        layer, results = LoweredLayer(filters, workload), []
        for group in range(groups):
            begin, own = group * channels, found
            if whole is None:
                own = slice_input(found, begin, begin + channels, context)
                packed = self.pack(own, step, context)
            else:
                words = (begin // bits, (begin + channels) // bits)
                packed = context.emit(relax.op.strided_slice(whole, [3], [words[0]], [words[1]]))
            own_filters = np.ascontiguousarray(filters[group * outputs : (group + 1) * outputs])
            results.append(context.emit(self._convolve(own, part, own_filters, packed, context, layer)))
        return relax.op.concat(results, axis=3)

    def _convolve(
        self,
        found: BinaryInput,
        workload: ConvWorkload,
        filters: np.ndarray,
        packed: relax.Expr,
        context: RewriteContext,
        layer: LoweredLayer,
        partial: PartialSum | None = None,
    ) -> relax.Expr:
        """The convolution of a ``packed`` input without groups."""
        signs = np.ascontiguousarray(filters)
        lanes = self._layout.binary_lanes(workload.out_channels)
        weight = bit_layout.pack_weights(signs.astype(np.int8), word=self._layout.word, lanes=lanes)
        if self._layout.lookup:
            weight = to_nibbles(weight)
        layer.name = self._kernels.add(
            weight, layer.filters, op="conv2d", precision=layer.precision, workload=layer.workload.key, name=layer.name
        )
        border = bit_layout.border(signs, workload, pad_value=found.pad_value, lanes=lanes)
        workload = packed_workload(workload, step_of(found, workload))
        arguments = [packed, relax.const(weight)]
        if self._layout.lookup:
            arguments.append(relax.const(lookup_table(lanes)))
        if not border.uniform:
            arguments += [relax.const(border.table), relax.const(border.rows), relax.const(border.columns)]
        single = int(border.table.flat[0])
        plane = found.plane.index if found.plane else 0
        if partial and partial.before is not None:
            arguments.append(partial.before)

        def compute(x: te.Tensor, w: te.Tensor, *others: te.Tensor) -> te.Tensor:
            before: te.Tensor | None = None
            if partial and partial.before is not None:
                before, others = others[-1], others[:-1]
            table, *of_border = others if self._layout.lookup else (None, *others)
            constant, *classes = of_border or (single,)
            sums = bconv2d(x, w, constant, *classes, workload=workload, table=table, plane=plane)
            return _add_up(sums, before, partial) if partial else topi.cast(sums, "float32")

        attrs = {ROLE: str(Role.CONVOLUTION)}
        pattern = OpPattern.OPAQUE if partial else OpPattern.OUT_ELEMENTWISE_FUSABLE
        return context.call_te(compute, *arguments, name="bconv2d", pattern=pattern, attrs=attrs)

    def pack(self, found: BinaryInput, step: tuple[int, int], context: RewriteContext) -> relax.Var:
        """The packed form of every ``step``-th row and column of an input; it is made once, however many convolutions
        read it.
        """
        pool = found.pooled and found.pooled.pool
        planes, pad = (1, found.pad_value == 1) if found.plane is None else (found.plane.planes, found.plane.pad_code)
        key = (found.source, found.threshold.tobytes(), found.padding, planes, pad, pool, step)
        if key not in self._packed:
            batch, height, width, channels = form = four(shape(found.source))
            word, padding = self._layout.word, (0, 0, 0, 0) if found.pooled else found.padding
            if found.plane is None:
                kernel = pack_signs(form, padding, word=word, pad_value=found.pad_value, stride=step)
            else:
                count = 1 if found.threshold.ndim == 1 else len(found.threshold)
                geometry, kind = PackGeometry(padding, step, pad, planes), dtype(found.source)
                kernel = pack_codes(form, geometry, word=word, thresholds=count, dtype=kind)
            top, left, bottom, right = padding
            rows, columns = -(-height // step[0]) + top + bottom, -(-width // step[1]) + left + right
            words = bit_layout.words_of(channels, word=word)
            out = relax.TensorType((batch * planes, rows, columns, words), word)
            call = context.call_kernel(kernel, found.source, relax.const(found.threshold), name="pack_signs", out=out)
            self._packed[key] = context.emit(call)
            if found.pooled:
                pool = lower_pooled_signs(
                    found.pooled, self._packed[key], context, border=found.padding, pad_value=found.pad_value
                )
                self._packed[key] = context.emit(pool)
        return self._packed[key]


def slice_input(found: BinaryInput, begin: int, end: int, context: RewriteContext) -> BinaryInput:
    """The same input with the channels from ``begin`` to ``end`` alone."""
    source = context.emit(relax.op.strided_slice(found.source, [3], [begin], [end]))
    threshold, pooled = found.threshold[begin:end], found.pooled
    if pooled:
        sign = context.emit(relax.op.sign(source))  # it tells the shape; what is packed is the source
        pool = context.emit(relax.Call(pooled.pool.op, [sign], pooled.pool.attrs))
        pooled = PooledSigns(context.definition(pool), context.definition(sign), pooled.flips[begin:end])
    return BinaryInput(source, threshold, found.padding, found.pad_value, pooled)


def step_of(found: BinaryInput, workload: ConvWorkload) -> tuple[int, int]:
    """The distance of the rows and columns that need to be packed."""
    return workload.stride if skips_pixels(workload) and not found.pooled else (1, 1)


def packed_workload(workload: ConvWorkload, step: tuple[int, int]) -> ConvWorkload:
    """The workload on an input of which every ``step``-th row and column is packed: those that it reads."""
    if step == (1, 1):
        return workload
    return replace(workload, in_height=workload.out_height, in_width=workload.out_width, stride=(1, 1))


def skips_pixels(workload: ConvWorkload) -> bool:
    """Whether there are pixels that no output reads, so that they need not be packed."""
    return workload.kernel == (1, 1) and workload.stride != (1, 1) and not any(workload.padding)


def _add_up(sums: te.Tensor, before: te.Tensor | None, partial: PartialSum) -> te.Tensor:
    def total(*at: Var) -> Expr:
        own = sums[at] * partial.factor
        return own if before is None else own + before[at]

    return te.compute(sums.shape, total, name="partial_sum")


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
