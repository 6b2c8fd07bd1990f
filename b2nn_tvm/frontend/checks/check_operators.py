"""Check that all operators of a network can be imported, and say for each of the others what to do instead."""

from __future__ import annotations

from math import prod

import onnx

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.checks.check_names import printable
from b2nn_tvm.frontend.checks.suggest_cut import suggest_cut
from b2nn_tvm.frontend.graph.value_types import value_types

_DOMAINS = ("", "ai.onnx", "com.microsoft", "b2nn")
_RECURRENT = frozenset({"GRU", "LSTM", "RNN", "Scan"})
_CONTROL = frozenset({"If", "Loop"})
_RANDOM = frozenset(
    {
        *("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    }
)
_REPLACE = "replace them by standard ONNX operators and export again"
# The operators that TVM computes by calls into its own runtime, or by loops that no schedule fits.
_WITHOUT_KERNEL = frozenset(
    {
        *("AllClassNMS", "MaxUnpool", "NonMaxSuppression", "Scatter", "ScatterElements", "ScatterND"),
        *("SplitToSequence", "TopK"),
    }
)
_WITH_CONSTANT_INPUT = frozenset({"ScatterElements", "ScatterND", "TopK"})  # known indices or k make them computable
NAMESAKES = frozenset({"Attention"})  # TVM's converter is that of onnxruntime's operator, not of ONNX's own one
MOST_PAIRS = 2**24  # that TopK compares
_SPECIAL = _RECURRENT | _CONTROL | _RANDOM | _WITHOUT_KERNEL | NAMESAKES
_CLASSICAL = "ai.onnx.ml"


def check_operators(model: onnx.ModelProto, known: frozenset[str]) -> None:
    """Raise UnsupportedError naming the nodes whose operators cannot be imported, and how to go on without them."""
    unknown: dict[str, list[onnx.NodeProto]] = {}
    constants = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        special = node.op_type in _SPECIAL and node.domain in ("", "ai.onnx")
        constant = node.op_type in _WITH_CONSTANT_INPUT and not constants.isdisjoint(node.input[1:2])
        if special and constant and (node.op_type != "TopK" or _pairs(model, node) <= MOST_PAIRS):
            continue
        if special or node.op_type not in known or node.domain not in _DOMAINS:
            op = printable(f"{node.domain}::{node.op_type}" if node.domain else node.op_type)
            unknown.setdefault(op, []).append(node)
    if not unknown:
        return
    parts = [f"{op} (node {nodes[0].name!r}{_more(nodes)})" for op, nodes in unknown.items()]
    raise UnsupportedError(
        f"the model has operators that cannot be compiled: {', '.join(parts)}; {_remedy(model.graph, unknown)}"
    )


def _pairs(model: onnx.ModelProto, node: onnx.NodeProto) -> int:
    """How many pairs of elements a TopK compares; 0 where its shape is not known."""
    known = value_types(model).get(node.input[0])
    shape = [dim.dim_value for dim in known.shape.dim] if known is not None else []
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), -1)
    return prod(shape) * shape[axis] if -len(shape) <= axis < len(shape) else 0


def _more(nodes: list[onnx.NodeProto]) -> str:
    return f" and {len(nodes) - 1} more" if nodes[1:] else ""


def _remedy(graph: onnx.GraphProto, unknown: dict[str, list[onnx.NodeProto]]) -> str:
    ops = unknown.keys()
    if ops <= _RANDOM:
        return (
            "they draw new random numbers in each inference, most likely a remainder of training such as the noise of "
            "a stochastic binarization or an augmentation: export the network in inference mode (model.eval()), or "
            "replace the noise by its mean (0, or 0.5 for uniform numbers from 0 to 1)"
        )
    if ops <= _CONTROL:
        return (
            "a branch or loop can be compiled only if its condition and count are known when it is compiled: export "
            "the network by tracing (torch.onnx.export of a module that is not scripted) with fixed input shapes"
        )
    cut = suggest_cut(graph, [node for nodes in unknown.values() for node in nodes])
    if ops & _RECURRENT:
        nothing = "and there is no convolution in front of them that could be compiled alone"
        return f"recurrent layers have no kernels here: {cut or nothing}"
    if ops <= _WITHOUT_KERNEL:
        return f"no library has kernels for them: {cut or 'compute them outside of the network'}"
    if not cut and all(op.startswith(f"{_CLASSICAL}::") for op in ops):
        return "classical machine learning is not compiled, only networks of convolutions and dense layers are"
    return f"{_REPLACE}, or {cut}" if cut else _REPLACE
