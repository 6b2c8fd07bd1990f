"""Fused operators of transformers of onnxruntime's own domain, com.microsoft, that its optimizer writes into files."""

from __future__ import annotations

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.quantized.quantized_context import QuantizedContext

_STATISTICS = (1, 2)  # outputs: the mean and the inverse of the deviation
_SUM = 3


def skip_layer_norm(context: QuantizedContext) -> None:
    """SkipLayerNormalization (x, skip, scale[, shift[, bias]]): LayerNormalization of ``x + skip + bias`` over the last
    axis. Raises UnsupportedError where its statistics are read.
    """
    outputs = list(context.node.output)
    if any(place < len(outputs) and outputs[place] for place in _STATISTICS):
        raise UnsupportedError("its mean and deviation are read; save the file without optimizations")
    x = context.put_before("Add", [context.input(0), context.input(1)], "sum")
    if context.input(4):
        x = context.put_before("Add", [x, context.input(4)], "biased")
    if len(outputs) > _SUM and outputs[_SUM]:
        context.put_after("Identity", [x], outputs[_SUM])
    del context.node.output[1:]
    parameters = [name for name in (context.input(2), context.input(3)) if name]
    context.become("LayerNormalization", [x, *parameters], axis=-1, epsilon=context.get("epsilon", 1e-12))
