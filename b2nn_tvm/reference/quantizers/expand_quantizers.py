"""Replace the nodes of other tools' domains by standard ONNX nodes of the same meaning.

Compiler and check read the same definitions; the tests compare these with the results of the tools themselves.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx

from b2nn_tvm.errors import B2nnError
from b2nn_tvm.reference.quantizers.channels_last import channels_last
from b2nn_tvm.reference.quantizers.integer_quantizers import quant, trunc
from b2nn_tvm.reference.quantizers.known_values import KnownValues
from b2nn_tvm.reference.quantizers.node_builder import NodeBuilder
from b2nn_tvm.reference.quantizers.step_quantizers import bipolar_quant, fake_quantize, multi_threshold

Definition = Callable[[NodeBuilder], None]

DOMAINS = (
    *("qonnx.custom_op.general", "qonnx.custom_op.channels_last"),
    *("finn", "finn.custom_op.general", "onnx.brevitas", "org.openvinotoolkit", ""),
)
_CHANNELS_LAST = "qonnx.custom_op.channels_last"
_DEFINITIONS: dict[str, Definition] = {
    "BipolarQuant": bipolar_quant,
    "FakeQuantize": fake_quantize,
    "IntQuant": quant,
    "MaxPoolNHWC": channels_last("MaxPool"),
    "MultiThreshold": multi_threshold,
    "Quant": quant,
    "Trunc": trunc,
}
_CHANNELS_LAST_DEFINITIONS: dict[str, Definition] = {
    op: channels_last(op) for op in ("BatchNormalization", "Conv", "MaxPool")
}


def has_quantizers(model: onnx.ModelProto) -> bool:
    """Whether the graph, or a function of the file, has nodes that ``expand_quantizers`` replaces."""
    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    own = _functions(model)
    return any(_definition(node, own) for node in nodes)


def expand_quantizers(model: onnx.ModelProto) -> None:
    """Replace, in place, the nodes of the graph that are defined here; a replaced node's name goes to the node that
    computes its result.

    Raises InputError or UnsupportedError, naming the node, where its attributes and constants have no such meaning.
    """
    own = _functions(model)
    if not any(_definition(node, own) for node in model.graph.node):
        return
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    values = KnownValues(model, [name for name in _DEFINITIONS if name != "MaxPoolNHWC"])
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        define = _definition(node, own)
        if define is None:
            nodes.append(node)
            continue
        try:
            build = NodeBuilder(node, values, opset=opset)
            define(build)
        except B2nnError as error:
            raise type(error)(f"node {node.name!r} ({node.op_type}): {error}") from None
        nodes += build.nodes
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _functions(model: onnx.ModelProto) -> set[tuple[str, str]]:
    """The functions that the file defines itself: what it says of them holds."""
    return {(function.domain, function.name) for function in model.functions}


def _definition(node: onnx.NodeProto, own: set[tuple[str, str]]) -> Definition | None:
    if (node.domain, node.op_type) in own:
        return None
    if node.domain == _CHANNELS_LAST:
        return _CHANNELS_LAST_DEFINITIONS.get(node.op_type)
    return _DEFINITIONS.get(node.op_type) if node.domain in DOMAINS else None
