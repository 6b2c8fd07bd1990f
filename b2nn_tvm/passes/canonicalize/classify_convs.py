"""State for every 2-D convolution whether it is in the canonical binary form, or of a few bits, or its weights alone
are binary, and if not, why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.costs.eligibility import FEWEST_GROUP_CHANNELS
from b2nn_tvm.passes.framework.compiler_pass import CompilerPass
from b2nn_tvm.passes.framework.invariants import SIGN_IS_BINARY, WEIGHTS_SPLIT
from b2nn_tvm.passes.patterns.bitserial_layers import BitserialLayer, match_bitserial
from b2nn_tvm.passes.patterns.possible_values import PossibleValues
from b2nn_tvm.passes.patterns.quantized_layer import QuantizedLayer, match_quantized_input, match_quantized_layer
from b2nn_tvm.passes.patterns.sign_patterns import (
    has_binary_groups,
    has_binary_weights,
    is_binary_conv,
    is_depthwise,
    is_signed,
    match_pad,
    oihw,
)
from b2nn_tvm.passes.patterns.step_function import step_function
from b2nn_tvm.provenance.conv_class import ConvClass
from b2nn_tvm.provenance.layer_names import (
    LayerNamer,
    NamedLayer,
    is_sign_times_scale,
    split_sign_and_scale,
    weight_digest,
)
from b2nn_tvm.relax_query import Definition, calls, constant, definitions, dtype, ints, op_name, shape, uniform
from b2nn_tvm.words.number_of import number_of


@tvm.transform.module_pass(opt_level=0, name="ClassifyConvs")
class ClassifyConvs(CompilerPass):
    """Enter the class of each convolution of "main" into the index of kernels and the log; the module stays.

    It runs after the passes that bring convolutions to the canonical form: the part that they could not rewrite is
    the reason given.
    """

    requires = (SIGN_IS_BINARY, WEIGHTS_SPLIT)
    ensures = ()

    def transform_module(self, module: tvm.IRModule, _pass_context: tvm.transform.PassContext) -> tvm.IRModule:
        convs = classify_convs(module, layers=self.context.layers, digest=self.context.digest)
        for conv in convs:
            self.record(conv.name, conv.verdict, applied=conv.binary or conv.weight_binary or bool(conv.bits))
        if lost := _without_signs(convs, self.context.layers):
            self.record("", lost, applied=False)
        self.context.kernels.classify(convs)
        return module


def _without_signs(convs: Iterable[ConvClass], layers: Iterable[NamedLayer]) -> str:
    """What is to be said of a network whose weights are binary and whose activations are not; empty for others.

    A layer is not counted of which the file itself says so.
    """
    marked = {layer.name for layer in layers if layer.marked}
    convs = [conv for conv in convs if conv.name not in marked]
    count = sum(conv.weight_binary for conv in convs)
    if count < 2 or any(conv.binary or conv.bits for conv in convs):
        return ""
    return (
        f"{count} convolutions have weights of two values, but no sign is in front of any of them: if the activations "
        "were binary in training, the export has lost their sign (exporters drop a torch.autograd.Function that is "
        "replaced while exporting, and a sign that only runs in training mode); export it as torch.where(x >= 0, 1, -1)"
    )


def classify_convs(
    module: tvm.IRModule,
    *,
    layers: Iterable[NamedLayer] = (),
    digest: Callable[[np.ndarray], str] = weight_digest,
) -> tuple[ConvClass, ...]:
    """Classify the convolutions of "main" in graph order, in NCHW or NHWC; ``layers`` names them, by the ``digest`` of
    their weights.
    """
    function = module["main"]
    definition = definitions(function)
    possible = PossibleValues(definition, module)
    namer = LayerNamer(layers, digest=digest)
    found = []
    for _, call in calls(function):
        if op_name(call) != "relax.nn.conv2d":
            continue
        weight = constant(call.args[1])
        weight = None if weight is None else oihw(weight, str(call.attrs.kernel_layout))
        binary = is_binary_conv(call, definition)
        of_bits = None if binary else match_bitserial(call, definition, possible)
        if isinstance(of_bits, BitserialLayer):
            found.append(ConvClass(namer.name(weight), False, "", bits=of_bits.word))
            continue
        reason = "" if binary else of_bits.reason if of_bits else _reason(call, weight, definition)
        weight_binary = not binary and has_binary_weights(call, weight)
        int8 = not binary and isinstance(match_quantized_layer(call, weight, definition), QuantizedLayer)
        found.append(ConvClass(namer.name(weight), binary, reason, weight_binary, int8))
    return tuple(found)


def _reason(call: relax.Call, weight: np.ndarray | None, definition: Definition) -> str:
    if weight is None:
        return "its weights are computed at run time"
    if dtype(call) != "float32":
        return f"its data type is {dtype(call)}, not float32"
    data = definition(call.args[0])
    signed = is_signed(data, definition)
    weights = _weights_reason(weight)
    if signed and not has_binary_groups(call):
        return _groups_reason(call)
    if not signed:
        data_reason = _data_reason(data, definition)
        return (
            data_reason
            if weights
            else f"its weights are ±alpha{_float_weights_reason(call, weight)}, but {data_reason}"
        )
    if weights:
        return f"its input is a sign, but {weights}"
    return _padding_reason(call, data, definition)


def _weights_reason(weight: np.ndarray) -> str:
    """The reason why weights [O, I, kh, kw] are no signs times a magnitude per output channel; empty if they are."""
    if split_sign_and_scale(weight) is not None:
        return ""
    for channel, values in enumerate(np.abs(weight.reshape(weight.shape[0], -1))):
        if split_sign_and_scale(values[None]) is None:
            low, high = values.min(), values.max()
            spread = f"in output channel {channel} they go from {low:.3g} to {high:.3g} in magnitude"
            return f"its weights are not ±alpha: {spread}"
    return "its weights are not ±alpha"


def _groups_reason(call: relax.Call) -> str:
    channels = shape(call.args[0])[str(call.attrs.data_layout).index("C")]
    groups = int(call.attrs.groups)
    if groups == channels:
        return f"depthwise convolution (groups={groups}): a popcount adds the channels of a group, which has only one"
    return (
        f"grouped convolution (groups={groups}): a group has {number_of(channels // groups, 'channel')}, and"
        " popcounts pay from "
        f"{FEWEST_GROUP_CHANNELS} on"
    )


def _float_weights_reason(call: relax.Call, weight: np.ndarray) -> str:
    """The obstacle to storing weights of ±alpha as bits where the input is no sign; empty if there is none."""
    if is_depthwise(call, weight):
        return ", one channel to a filter"
    return "" if is_sign_times_scale(weight) or weight[0].size == 1 else " only within rounding"


def _data_reason(data: relax.Expr, definition: Definition) -> str:
    pad = match_pad(data)
    if pad is not None:
        data = definition(pad.data)
    while op_name(data) == "relax.permute_dims":
        data = definition(data.args[0])
    if op_name(data) == "relax.multiply" and is_signed(data.args[0], definition) and uniform(data.args[1]) is None:
        return "its input is a sign that is scaled per input channel"
    step = step_function(data, definition)
    if step is not None:
        if not step.exact and (step.begin == 0).all() and (step.between[np.isfinite(step.between)] == 0).all():
            return (
                "its input comes from Sign, and Sign(0) = 0: pass sign_zero='+1' if the network was trained with a "
                "sign that is +1 at 0"
            )
        if not step.exact and step.narrow:
            return (
                "its input has other values than two next to 0, which may be common there: export it as "
                "torch.where(x >= 0, 1, -1) if the network was trained with two"
            )
        values = np.unique(np.concatenate([step.low, step.high, step.between[np.isfinite(step.between)]]))
        return f"its input has the values {', '.join(f'{v:g}' for v in values)}, not -1 and +1"
    if not isinstance(data, relax.Call):
        return "its input is not a sign: it is the input of the network"
    source = op_name(data).removeprefix("relax.").removeprefix("nn.") or "another kernel"
    codes = ", with codes of 8 bits" if match_quantized_input(data, definition) is not None else ""
    return f"its input is not a sign: it comes from {source}{codes}"


def _padding_reason(call: relax.Call, data: relax.Expr, definition: Definition) -> str:
    pad = match_pad(data)
    if pad is None:
        return f"{op_name(data).removeprefix('relax.').removeprefix('nn.')} stands between its input's sign and it"
    if abs(pad.value) != 1:
        return f"its input is padded with {pad.value:g}, not with 0, -1 or +1"
    if any(ints(call.attrs.padding)):
        return f"its input is padded twice, with {pad.value:g} and with 0"
    if op_name(definition(pad.data)) != "relax.sign":
        return "its input is padded twice"
    return "its input is padded along the batch or the channels"
