"""Lower layers of a few bits (NHWC) to sums of binary convolutions, one for each pair of planes.

nn.conv2d([pad with 0](clip(round(x / s), 0, 3) * s), w = a * u, u = -1 or +1)
    ->  packed = call_tir(pack_signs, x, three thresholds)
        y_0 = call_tir(bconv2d, packed, packed u);  y_1 = call_tir(bconv2d, the other plane of packed, packed u)
        add(multiply(add(multiply(y_1, 2), y_0), a * s / 2), 3 / 2 * s * a * sum of u)

Code 0 is -1 in every plane, so a padding with it is one of the planes with -1. Weights of m bits are m planes. Each
convolution but the last one adds its whole numbers to those of the one before it, in int32, so that there are no more
than two such tensors at a time, which may stay in a core's own caches. Those of the last one are in float32, each of
them exact, until the one multiplication at the end. A dense layer is a convolution over an image of one row.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import tvm
from tvm import relax, te

from b2nn_tvm.kernel_attrs import ROLE, Role
from b2nn_tvm.ops.count_bits import count_bits
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import NHWC, SIGN_IS_BINARY
from b2nn_tvm.passes.framework.op_pattern import OpPattern
from b2nn_tvm.passes.framework.rewriter import RewriteContext, rewrite_calls
from b2nn_tvm.passes.lower.lower_binary_conv2d import (
    BinaryInput,
    BinaryLowering,
    CodePlane,
    LoweredLayer,
    PartialSum,
    conv_workload,
    packed_workload,
    step_of,
)
from b2nn_tvm.passes.lower.move_codes import MovedCodes
from b2nn_tvm.passes.patterns.bitserial_layers import BitserialLayer, match_bitserial
from b2nn_tvm.passes.patterns.possible_values import PossibleValues
from b2nn_tvm.passes.patterns.sign_patterns import match_pad, oihw
from b2nn_tvm.passes.patterns.weight_planes import WeightPlane
from b2nn_tvm.relax_query import calls, constant, definitions, op_name, shape
from b2nn_tvm.workload import ConvWorkload


@tvm.transform.module_pass(opt_level=0, name="LowerBitserial")
class LowerBitserial(CompilerPass):
    """Lower the convolutions and dense layers whose input has few levels and whose weights are few whole numbers; the
    index of kernels learns the layer of the packed planes.
    """

    requires = (NHWC, SIGN_IS_BINARY)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        lowering = BinaryLowering(self.context.layout, self.context.kernels)
        return rewrite_calls(module, _Rule(module, lowering).apply, self.recorder("lowered to popcounts of planes"))


class _Rule:
    """The rule for one module: what it is to do is known before the first call is rewritten."""

    def __init__(self, module: tvm.IRModule, lowering: BinaryLowering):
        self._lowering = lowering
        function = module["main"]
        definition = definitions(function)
        possible = PossibleValues(definition, module)
        found = ((var, match_bitserial(call, definition, possible)) for var, call in calls(function))
        self._layers = {var: layer for var, layer in found if isinstance(layer, BitserialLayer)}
        self._codes = MovedCodes(function, self._layers)

    def apply(self, call: relax.Call, context: RewriteContext) -> relax.Expr | None:
        layer = None if context.var is None else self._layers.get(context.var)
        if layer is None or op_name(call) not in ("relax.nn.conv2d", "relax.matmul"):
            return None
        weight = constant(call.args[1])
        if weight is None:
            return None
        pairs = f"{layer.levels.bits} x {len(layer.weights.planes)} planes"
        context.note(f"is {layer.word}: its input has {layer.levels.codes} levels; popcounts of {pairs}")
        if op_name(call) == "relax.matmul":
            *_, inputs = shape(call.args[0])
            workload = ConvWorkload(1, inputs, 1, int(np.prod(shape(call)[:-1])), weight.shape[1], (1, 1))
            sums = self._lowered(call.args[0], layer, weight.T[:, :, None, None], workload, context)
            return relax.op.reshape(context.emit(sums), shape(call))
        pad = match_pad(context.definition(call.args[0]))
        image = call.args[0] if pad is None else pad.data
        workload = conv_workload(call, image, padding=layer.padding)
        return self._lowered(image, layer, oihw(weight, "HWIO"), workload, context)

    def _lowered(
        self,
        image: relax.Expr,
        layer: BitserialLayer,
        weight: np.ndarray,
        workload: ConvWorkload,
        context: RewriteContext,
    ) -> relax.Expr:
        """The layer [N, H', W', O] by ``weight`` [O, I, kh, kw], of an image with the shape of the ``workload``; each
        of its groups is a layer of its own.
        """
        source, thresholds = self._steps(image, layer, workload, context)
        whole, groups = LoweredLayer(weight, workload, layer.word), workload.groups
        if groups == 1:
            return self._sum_of_planes(source, thresholds, layer, weight, whole, workload, context)
        channels, outputs = workload.in_channels // groups, workload.out_channels // groups
        part, results = replace(workload, in_channels=channels, out_channels=outputs, groups=1), []
        for group in range(groups):
            inside, filters = (slice(group * n, (group + 1) * n) for n in (channels, outputs))
            own = context.emit(relax.op.strided_slice(source, [3], [inside.start], [inside.stop]))
            of_group = replace(layer, weights=layer.weights.of_filters(filters))
            sums = self._sum_of_planes(own, thresholds[:, inside], of_group, weight[filters], whole, part, context)
            results.append(context.emit(sums))
        return relax.op.concat(results, axis=3)

    def _steps(
        self, image: relax.Expr, layer: BitserialLayer, workload: ConvWorkload, context: RewriteContext
    ) -> tuple[relax.Expr, np.ndarray]:
        """The tensor of the workload's shape whose codes the layer reads, and their thresholds [codes - 1, C]."""
        steps = self._codes.steps(image, layer.levels, context)
        form = (workload.batch, workload.in_height, workload.in_width, workload.in_channels)
        source = steps.source if shape(steps.source) == form else context.emit(relax.op.reshape(steps.source, form))
        return source, np.broadcast_to(steps.thresholds, (len(steps.thresholds), workload.in_channels))

    def _sum_of_planes(
        self,
        source: relax.Expr,
        thresholds: np.ndarray,
        layer: BitserialLayer,
        weight: np.ndarray,
        whole: LoweredLayer,
        workload: ConvWorkload,
        context: RewriteContext,
    ) -> relax.Expr:
        """The layer without groups, which is a part of ``whole``."""
        planes = _planes(source, thresholds, layer, workload)
        weights, levels = layer.weights, layer.levels
        pairs = [(plane, p, bits) for plane in weights.planes for p, bits in enumerate(planes)]
        before: relax.Expr | None = None
        for plane, p, bits in pairs[:-1]:
            partial = PartialSum(plane.coefficient * 2**p, before)
            before = context.emit(self._convolve(bits, plane, workload, weight, whole, context, partial))
        plane, p, bits = pairs[-1]
        total = context.emit(self._convolve(bits, plane, workload, weight, whole, context))
        if (factor := plane.coefficient * 2**p) != 1:
            total = context.emit(relax.op.multiply(total, relax.const(np.float32(factor))))
        if before is not None:
            total = context.emit(relax.op.add(total, context.emit(relax.op.astype(before, "float32"))))
        if weights.rest:
            total = context.emit(relax.op.add(total, self._rest(planes[0], weights.rest, workload, context)))
        scale = (weights.scale * levels.step / 2).astype(np.float32)
        result = relax.op.multiply(total, relax.const(scale.reshape(1, 1, 1, -1)))
        constant_part = weight.reshape(len(weight), -1).sum(axis=1, dtype=np.float64) * levels.centre
        if not constant_part.any():
            return result
        shift = relax.const(constant_part.astype(np.float32).reshape(1, 1, 1, -1))
        return relax.op.add(context.emit(result), shift)

    def _convolve(
        self,
        bits: BinaryInput,
        plane: WeightPlane,
        workload: ConvWorkload,
        weight: np.ndarray,
        whole: LoweredLayer,
        context: RewriteContext,
        partial: PartialSum | None = None,
    ) -> relax.Expr:
        """The convolution of a plane of codes by a plane of weights, which has the shape of ``weight``."""
        signs = np.ascontiguousarray(plane.signs.reshape(weight.shape))
        return self._lowering.convolve(bits, workload, signs, context, whole, partial)

    def _rest(self, first: BinaryInput, rest: int, workload: ConvWorkload, context: RewriteContext) -> relax.Expr:
        """The rest of the weights times the sum of the planes, of which ``first`` is one, under each window."""
        step = step_of(first, workload)
        packed, window = self._lowering.pack(first, step, context), packed_workload(workload, step)

        def compute(words: te.Tensor) -> te.Tensor:
            return count_bits(words, workload=window, factor=rest)

        attrs = {ROLE: str(Role.COUNT_BITS)}
        return context.emit(context.call_te(compute, packed, name="count_bits", pattern=OpPattern.OPAQUE, attrs=attrs))


def _planes(
    source: relax.Expr, thresholds: np.ndarray, layer: BitserialLayer, workload: ConvWorkload
) -> list[BinaryInput]:
    """The planes of the codes of ``source`` as inputs of binary convolutions, the lowest bit first."""
    limits = np.ascontiguousarray(thresholds if len(thresholds) > 1 else thresholds[0])
    planes = []
    for p in range(layer.levels.bits):
        sign = 0 if layer.pad_code is None else 1 if layer.pad_code >> p & 1 else -1
        plane = CodePlane(p, layer.levels.bits, layer.pad_code or 0)
        planes.append(BinaryInput(source, limits, workload.padding, sign, plane=plane))
    return planes
