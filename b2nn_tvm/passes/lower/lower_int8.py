"""Lower convolutions (NHWC) and dense layers of 8-bit codes by 8-bit weights to sums of integers, with weights packed
at compile time.

    nn.conv2d((astype(q, "float32") - z) * s, w const)
        ->  call_tir(pad q with z) where padded, or where the channels do not fill words;
            call_tir(int8_conv2d | int8_winograd_conv2d | int8_depthwise_conv2d, q, packed w)
                - z * sum(w)  cast to float32  * s * t[o]

Sums are exact in int32. A multiplication by the scales ends them; bias, activation and the quantizing of the result are
elementwise operators behind it, and become its epilogue.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import tvm
from tvm import relax, te, topi

from b2nn_tvm.kernel_attrs import PAD, PAD_VALUE, ROLE, Role
from b2nn_tvm.ops.int8_conv2d import (
    int8_conv2d,
    int8_depthwise_conv2d,
    int8_strided_winograd_conv2d,
    int8_winograd_conv2d,
    pack_depthwise_weights,
    pack_int8_weights,
    pack_winograd_weights,
)
from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.ops.winograd_conv2d import padding_to_tiles
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NHWC, NO_BINARY_CONV
from b2nn_tvm.passes.framework.op_pattern import OpPattern
from b2nn_tvm.passes.framework.recorder import layer_weight
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.lower.choose_winograd import winograd_tile
from b2nn_tvm.passes.lower.join_taps import columns_read, join_taps, joins_taps
from b2nn_tvm.passes.lower.lower_binary_conv2d import conv_workload
from b2nn_tvm.passes.lower.merge_groups import merge_groups
from b2nn_tvm.passes.lower.store_codes import stored_codes
from b2nn_tvm.passes.patterns.quantized_layer import QuantizedLayer, match_quantized_layer
from b2nn_tvm.provenance.kernel_layers import KernelLayerIndex
from b2nn_tvm.relax_query import four, op_name, shape
from b2nn_tvm.workload import ConvWorkload

Padding = tuple[int, int, int, int]


@tvm.transform.module_pass(opt_level=0, name="LowerInt8")
class LowerInt8(CompilerPass):
    """Lower the layers whose input StoreCodes has stored as codes; others stay float, and the log says why."""

    requires = (NHWC, NO_BINARY_CONV)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        lowering = _Lowering(self.context.layout, self.context.kernels)
        return rewrite_calls(module, lowering.rule, self.recorder("is int8: 8-bit codes by 8-bit weights"))


class _Lowering:
    """The rule for one module; it remembers the inputs that are padded already."""

    def __init__(self, layout: VectorLayout, kernels: KernelLayerIndex):
        self._layout = layout
        self._kernels = kernels
        self._padded: dict[tuple[relax.Expr, Padding, int, int], relax.Var] = {}

    def rule(self, call: relax.Call, context: RewriteContext) -> relax.Expr | None:
        convolves = op_name(call) == "relax.nn.conv2d" and str(call.attrs.data_layout) == "NHWC"
        if not convolves and op_name(call) != "relax.matmul":
            return None
        layer = match_quantized_layer(call, layer_weight(call), context.definition)
        if isinstance(layer, str):
            context.note(layer)
        if not isinstance(layer, QuantizedLayer):
            return None
        codes = stored_codes(layer.input.codes, self._layout.codes, context.definition)
        if codes is None:
            return None
        for move in reversed(layer.input.moves):
            codes = context.emit(relax.Call(move.op, [codes, *move.args[1:]], move.attrs))
        sums = self._conv2d(call, codes, layer, context) if convolves else self._dense(call, codes, layer, context)
        return _scaled(sums, layer, context)

    def _conv2d(
        self, call: relax.Call, codes: relax.Expr, layer: QuantizedLayer, context: RewriteContext
    ) -> relax.Expr:
        workload, zero = conv_workload(call, codes, padding=four(call.attrs.padding)), int(layer.input.zero)
        padding = workload.padding
        if workload.groups == workload.in_channels == workload.out_channels > 1:
            packed, multiple = self._pack_depthwise(layer.weight)
            full_range = bool((packed == -128).any())
            compute = lambda x, w: int8_depthwise_conv2d(x, w, workload=workload, full_range=full_range)
            role, name = Role.DEPTHWISE_CONVOLUTION, "int8_depthwise_conv2d"
        elif (m := winograd_tile(workload, layer.weight, self._layout.codes)) and workload.stride != (1, 1):
            lanes, multiple = self._layout.float_lanes, 1
            packed = pack_int8_weights(layer.weight, lanes=lanes, run=2, dtype="int8")
            compute = lambda x, w: int8_strided_winograd_conv2d(x, w, workload=workload)
            role, name = Role.CONVOLUTION, "int8_winograd_conv2d"
        elif m:
            packed, multiple = pack_winograd_weights(layer.weight, lanes=self._layout.float_lanes, m=m), 1
            padding = padding_to_tiles(workload, m)
            compute = lambda x, w: int8_winograd_conv2d(x, w, workload=workload)
            role, name = Role.CONVOLUTION, "int8_winograd_conv2d"
        else:
            filters = layer.weight
            if joins_taps(workload, run := self._layout.codes.run):
                filters, padding = join_taps(filters), _wide_enough(workload, columns_read(workload, run))
            packed, multiple, groups = self._pack(filters, workload.groups)
            multiple = 1 if filters is not layer.weight else multiple
            full_range, computed = bool((packed == -128).any()), replace(workload, groups=groups)
            compute = lambda x, w: int8_conv2d(x, w, workload=computed, full_range=full_range)
            role, name = Role.CONVOLUTION, "int8_conv2d"
        weight = self._enter(packed, layer, "conv2d", workload.key)
        x = self._pad(codes, padding, zero, multiple, context)
        attrs, pattern = {ROLE: str(role)}, OpPattern.OUT_ELEMENTWISE_FUSABLE
        return context.call_te(compute, x, weight, name=name, pattern=pattern, attrs=attrs)

    def _dense(self, call: relax.Call, codes: relax.Expr, layer: QuantizedLayer, context: RewriteContext) -> relax.Expr:
        """A dense layer is a 1x1 convolution over an image of one row."""
        (*outer, inputs), outputs = shape(codes), len(layer.weight)
        rows = math.prod(outer)
        workload = ConvWorkload(1, inputs, 1, rows, outputs, (1, 1))
        packed, run, _ = self._pack(layer.weight[:, :, None, None], 1)
        weight = self._enter(packed, layer, "dense", f"dense_n{rows}_k{inputs}_o{outputs}")
        row = context.emit(relax.op.reshape(codes, (1, 1, rows, inputs)))
        x = self._pad(row, (0, 0, 0, 0), 0, run, context)

        def compute(x: te.Tensor, w: te.Tensor) -> te.Tensor:
            sums = int8_conv2d(x, w, workload=workload, full_range=bool((packed == -128).any()))
            return te.compute((rows, outputs), lambda n, o: sums[0, 0, n, o], name="rows")

        attrs, pattern = {ROLE: str(Role.DENSE)}, OpPattern.OUT_ELEMENTWISE_FUSABLE
        sums = context.call_te(compute, x, weight, name="int8_dense", pattern=pattern, attrs=attrs)
        return sums if len(outer) == 1 else relax.op.reshape(context.emit(sums), (*outer, outputs))

    def _pack(self, weight: np.ndarray, groups: int) -> tuple[np.ndarray, int, int]:
        """The packed weights, how many channels fill a word of them, and of how many groups they are now."""
        codes, lanes, run = self._layout.codes, self._layout.float_lanes, self._layout.codes.run
        merged = merge_groups(weight, groups, lanes=lanes, run=run) if run > 1 else None
        if merged is not None:
            weight, groups = merged
        if groups > 1 and merged is None:
            lanes, run = self._layout.group_lanes(len(weight) // groups), 1
        return pack_int8_weights(weight, lanes=lanes, run=run, dtype=codes.weights), run if groups == 1 else 1, groups

    def _pack_depthwise(self, weight: np.ndarray) -> tuple[np.ndarray, int]:
        """The packed weights, and of which number the channels of the input have to be a multiple."""
        codes, multiple = self._layout.codes, self._layout.depthwise_channels
        lanes, dtype = self._layout.depthwise_lanes(len(weight)), self._layout.depthwise_weights(len(weight))
        packed = pack_depthwise_weights(weight, lanes=lanes, taps=codes.taps, multiple=multiple, dtype=dtype)
        return packed, multiple

    def _enter(self, packed: np.ndarray, layer: QuantizedLayer, op: str, workload: str) -> relax.Expr:
        """The packed weights as a constant, of which the index of kernels knows the layer."""
        constant = relax.const(packed)
        self._kernels.add(packed, layer.original, op=op, precision="int8", workload=workload)
        return constant

    def _pad(self, x: relax.Expr, padding: Padding, zero: int, multiple: int, context: RewriteContext) -> relax.Expr:
        """The input with a border of the code ``zero`` and a ``multiple`` of channels, of which those behind the last
        have weights of 0; it is made once, however many layers read it.
        """
        more = -shape(x)[3] % multiple
        key = (x, padding, zero, more)
        if not any(padding) and not more:
            return x
        if key not in self._padded:
            top, left, bottom, right = padding
            pad = lambda t: topi.nn.pad(t, [0, top, left, 0], [0, bottom, right, more], float(zero), name="pad_input")
            attrs = {ROLE: str(Role.PAD_INPUT)} | ({} if more else {PAD: padding, PAD_VALUE: zero})
            alone = None if more else OpPattern.OPAQUE  # FusePad lets what makes the codes write them inside the border
            self._padded[key] = context.emit(context.call_te(pad, x, name="pad_input", pattern=alone, attrs=attrs))
        return self._padded[key]


def _wide_enough(workload: ConvWorkload, columns: int) -> Padding:
    """The padding of a layer whose padded image has at least so many columns."""
    top, left, bottom, right = workload.padding
    return top, left, bottom, max(right, columns - workload.in_width - left)


def _scaled(sums: relax.Expr, layer: QuantizedLayer, context: RewriteContext) -> relax.Expr:
    """The sums of codes less the zero point, in float, times the scales of input and weights."""
    y = context.emit(sums)
    along = (1,) * (len(shape(y)) - 1) + (-1,)
    whole = layer.weight.reshape(len(layer.weight), -1).sum(axis=1, dtype=np.int32)
    if layer.input.zero and whole.any():
        of_zero = (int(layer.input.zero) * whole).reshape(along)
        y = context.emit(relax.op.subtract(y, relax.const(of_zero.astype(np.int32))))
    scale = (layer.input.scale * layer.scales).astype(np.float32).reshape(along)
    return relax.op.multiply(context.emit(relax.op.astype(y, "float32")), relax.const(scale))
