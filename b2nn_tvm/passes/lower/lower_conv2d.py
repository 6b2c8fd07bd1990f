"""Lower float convolutions (NHWC) and dense layers to this project's operators, with weights packed at compile time.

nn.conv2d(x, w const)     ->  call_tir(pad, x) where padded;
                              call_tir(conv2d | winograd_conv2d | depthwise_conv2d, x, packed w)
matmul(x[N, K], w const)  ->  call_tir(dense, x, packed w)
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax, te, topi

from b2nn_tvm.kernel_attrs import PAD, ROLE, Role
from b2nn_tvm.ops.conv2d import conv2d, pack_weights
from b2nn_tvm.ops.dense import dense, pack_dense_weights
from b2nn_tvm.ops.depthwise_conv2d import depthwise_conv2d
from b2nn_tvm.ops.expand_weights import pack_bits
from b2nn_tvm.ops.vector_layout import VectorLayout
from b2nn_tvm.ops.winograd_conv2d import padding_to_tiles, transform_weights, winograd_conv2d
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import CONVS_LOWERED, NHWC, NO_SIGN
from b2nn_tvm.passes.framework.op_pattern import OpPattern
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.lower.lower_binary_conv2d import conv_workload
from b2nn_tvm.passes.patterns.sign_patterns import has_binary_weights, oihw
from b2nn_tvm.provenance.kernel_layers import KernelLayerIndex
from b2nn_tvm.relax_query import constant, four, op_name, shape
from b2nn_tvm.words.number_of import number_of
from b2nn_tvm.workload import ConvWorkload

# F(4 x 4) is faster still, but its error of 1e-5 inverts signs behind it more often than allowed by the error of 1e-4
# that is promised for the logits of a mixed network; and a layer's time must not depend on whether others are binary.
WINOGRAD_TILE = 2
WINOGRAD_CHANNELS = 16
WINOGRAD_PIXELS_PER_LANE = 6  # the wider the vectors, the sooner reading weights takes longer than multiplying them
WINOGRAD_CACHED_FILTERS = 1 << 14  # 16 * 4 bytes each: a mebibyte, the second-level cache of a server core


@tvm.transform.module_pass(opt_level=0, name="LowerConv2d")
class LowerConv2d(CompilerPass):
    """Lower float convolutions and dense layers; layers whose weights are no constants, for example, are left to
    Relax.
    """

    requires = (NHWC, NO_SIGN)
    ensures = (CONVS_LOWERED,)

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        lowering = _Lowering(self.context.layout, self.context.kernels)
        return rewrite_calls(module, lowering.rule, self.recorder("lowered to a dense layer"))


class _Lowering:
    """The rule for one module; it remembers the inputs that are padded already."""

    def __init__(self, layout: VectorLayout, kernels: KernelLayerIndex):
        self._layout = layout
        self._kernels = kernels
        self._padded: dict[tuple[relax.Expr, tuple[int, ...]], relax.Var] = {}

    def rule(self, call: relax.Call, context: RewriteContext) -> relax.Expr | None:
        if op_name(call) == "relax.nn.conv2d" and call.attrs.data_layout == "NHWC":
            return self._conv2d(call, context)
        if op_name(call) == "relax.matmul":
            return self._dense(call, context)
        return None

    def _conv2d(self, call: relax.Call, context: RewriteContext) -> relax.Expr | None:
        weight = constant(call.args[1])
        if weight is None or weight.dtype != np.float32:
            return None
        filters = oihw(weight, "HWIO")
        workload = conv_workload(call, call.args[0], padding=four(call.attrs.padding))
        obstacle = winograd_obstacle(workload, lanes=self._layout.float_lanes)
        if not obstacle:
            context.note("lowered to Winograd F(2x2, 3x3): 3x3 of stride 1")
            return self._winograd(call, context, filters, workload)
        context.note(f"lowered to a direct convolution: {obstacle}")
        depthwise = workload.groups == workload.in_channels == workload.out_channels > 1
        x = self._pad(call.args[0], workload.padding, context)
        lanes = self._layout.group_lanes(workload.out_channels // (1 if depthwise else workload.groups))
        if workload.groups == 1:
            lanes = self._layout.conv_lanes(workload.out_channels)
        if depthwise:
            packed, value = _constant(np.ascontiguousarray(filters[:, 0].transpose(1, 2, 0)))
            self._kernels.add(value, filters, op="conv2d", precision="float", workload=workload.key)
        else:
            packed, value = _constant(pack_weights(filters, lanes=lanes))
            self._enter(value, call, filters, workload)

        def compute(x: te.Tensor, w: te.Tensor) -> te.Tensor:
            if depthwise:
                return depthwise_conv2d(x, w, workload=workload, lanes=lanes)
            return conv2d(x, w, workload=workload)

        name, role = ("depthwise_conv2d", Role.DEPTHWISE_CONVOLUTION) if depthwise else ("conv2d", Role.CONVOLUTION)
        pattern, attrs = OpPattern.OUT_ELEMENTWISE_FUSABLE, {ROLE: str(role)}
        return context.call_te(compute, x, packed, name=name, pattern=pattern, attrs=attrs)

    def _winograd(
        self, call: relax.Call, context: RewriteContext, filters: np.ndarray, workload: ConvWorkload
    ) -> relax.Expr:
        lanes = self._layout.conv_lanes(workload.out_channels)
        packed, value = _constant(transform_weights(np.ascontiguousarray(filters), lanes=lanes, m=WINOGRAD_TILE))
        self._enter(value, call, filters, workload)
        x = self._pad(call.args[0], padding_to_tiles(workload, WINOGRAD_TILE), context)
        compute = lambda x, w: winograd_conv2d(x, w, workload=workload, m=WINOGRAD_TILE)
        return context.call_te(
            compute,
            x,
            packed,
            name="winograd_conv2d",
            pattern=OpPattern.OUT_ELEMENTWISE_FUSABLE,
            attrs={ROLE: str(Role.CONVOLUTION)},
        )

    def _enter(self, packed: np.ndarray, call: relax.Call, filters: np.ndarray, workload: ConvWorkload) -> None:
        """Note the layer of the ``packed`` weights, and the bits that PackWeights will put in their place where they
        are -1 and +1.
        """
        binary = has_binary_weights(call, filters)
        bits = pack_bits(pack_weights(filters, lanes=packed.shape[-1])) if binary else None
        precision = "weight-binary" if binary else "float"
        self._kernels.add(packed, filters, op="conv2d", precision=precision, workload=workload.key, bits=bits)

    def _pad(self, x: relax.Expr, padding: tuple[int, int, int, int], context: RewriteContext) -> relax.Expr:
        """The padded input of a convolution; it is made once, however many convolutions read it."""
        if not any(padding):
            return x
        if (x, padding) not in self._padded:
            top, left, bottom, right = padding
            pad = lambda t: topi.nn.pad(t, [0, top, left, 0], [0, bottom, right, 0], name="pad_input")
            attrs = {ROLE: str(Role.PAD_INPUT), PAD: padding}
            self._padded[x, padding] = context.emit(context.call_te(pad, x, name="pad_input", attrs=attrs))
        return self._padded[x, padding]

    def _dense(self, call: relax.Call, context: RewriteContext) -> relax.Expr | None:
        weight = constant(call.args[1])
        if weight is None or weight.dtype != np.float32 or weight.ndim != 2 or len(shape(call.args[0])) != 2:
            return None
        outputs = weight.shape[1]
        packed, value = _constant(pack_dense_weights(weight, lanes=self._layout.conv_lanes(outputs)))
        workload = f"dense_n{shape(call.args[0])[0]}_k{weight.shape[0]}_o{outputs}"
        self._kernels.add(value, weight.T, op="dense", precision="float", workload=workload)
        return context.call_te(
            lambda x, w: dense(x, w, outputs=outputs),
            call.args[0],
            packed,
            name="dense",
            pattern=OpPattern.OUT_ELEMENTWISE_FUSABLE,
            attrs={ROLE: str(Role.DENSE)},
        )


def _constant(packed: np.ndarray) -> tuple[relax.Expr, np.ndarray]:
    """The weights as a constant, and its own value, which is known again wherever the constant is read."""
    made = relax.const(packed)
    value = constant(made)
    assert value is not None
    return made, value


def winograd_obstacle(workload: ConvWorkload, *, lanes: int) -> str:
    """The reason why a layer is not lowered to F(2 x 2, 3 x 3) for vectors of ``lanes``; empty where F(2 x 2, 3 x 3)
    was faster than the direct form.

    Winograd's weights are 16/9 as large: a layer with many weights for few pixels is bound by reading them, and stays
    direct.
    """
    if workload.groups != 1:
        return f"it has {workload.groups} groups"
    for word, value, wanted in (
        ("kernel", workload.kernel, 3),
        ("stride", workload.stride, 1),
        ("dilation", workload.dilation, 1),
    ):
        if value != (wanted, wanted):
            return f"its {word} is {value[0]}x{value[1]}, Winograd wants {wanted}x{wanted}"
    if min(workload.in_channels, workload.out_channels) < WINOGRAD_CHANNELS:
        return f"it has fewer than {WINOGRAD_CHANNELS} channels"
    pixels = workload.batch * workload.out_height * workload.out_width
    if (
        pixels < WINOGRAD_PIXELS_PER_LANE * lanes
        and workload.in_channels * workload.out_channels > WINOGRAD_CACHED_FILTERS
    ):
        return f"Winograd's weights, 16/9 as many, would be read for {number_of(pixels, 'pixel')} only"
    return ""
