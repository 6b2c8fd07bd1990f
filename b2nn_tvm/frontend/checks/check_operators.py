"""Check that all operators of a network can be imported, and say for each of the others what to do instead."""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.checks.check_names import printable

_DOMAINS = ("", "ai.onnx", "com.microsoft", "b2nn")
_RECURRENT = frozenset({"GRU", "LSTM", "RNN", "Scan"})
_CONTROL = frozenset({"If", "Loop"})
_RANDOM = frozenset(
    {
        *("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    }
)
_REPLACE = "replace them by standard ONNX operators and export again"
_EXAMPLE = 'onnx.utils.extract_model("network.onnx", "part.onnx", {inputs}, {outputs})'


def check_operators(model: onnx.ModelProto, known: frozenset[str]) -> None:
    """Raise UnsupportedError naming the nodes whose operators cannot be imported, and how to go on without them."""
    unknown: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        special = node.op_type in _RECURRENT | _CONTROL | _RANDOM and node.domain in ("", "ai.onnx")
        if special or node.op_type not in known or node.domain not in _DOMAINS:
            op = printable(f"{node.domain}::{node.op_type}" if node.domain else node.op_type)
            unknown.setdefault(op, []).append(node)
    if not unknown:
        return
    parts = [f"{op} (node {nodes[0].name!r}{_more(nodes)})" for op, nodes in unknown.items()]
    raise UnsupportedError(
        f"the model has operators that cannot be compiled: {', '.join(parts)}; {_remedy(model.graph, unknown)}"
    )


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
    if ops & _RECURRENT:
        return (
            f"recurrent layers have no kernels here: {_cut(graph, [n for op in ops & _RECURRENT for n in unknown[op]])}"
        )
    return _REPLACE


def _cut(graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto]) -> str:
    """Where to end the network in front of the first of ``nodes``, as a call of onnx."""
    producers = {output: node for node in graph.node for output in node.output}
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in constants]
    weighted = ("BinaryConv2d", "Conv", "Gemm", "MatMul", "WeightBinaryConv2d")
    first = min(nodes, key=list(graph.node).index)
    if not _reaches(first.input[0], producers, weighted):
        return "and there is no convolution in front of them that could be compiled alone"
    call = _EXAMPLE.format(inputs=inputs, outputs=[first.input[0]])
    return (
        f"end the network at the tensor {first.input[0]!r}, compile that part, and compute the rest on its output; "
        f"this cuts it: {call}"
    )


def _reaches(value: str, producers: dict[str, onnx.NodeProto], ops: tuple[str, ...]) -> bool:
    """Whether a node of ``ops`` stands somewhere in front of ``value``."""
    waiting, seen = [value], {value}
    while waiting:
        node = producers.get(waiting.pop())
        if node is None:
            continue
        if node.op_type in ops:
            return True
        waiting += [name for name in node.input if name not in seen]
        seen.update(node.input)
    return False
