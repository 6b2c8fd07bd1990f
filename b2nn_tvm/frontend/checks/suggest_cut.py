"""Where to end a network in front of what cannot be compiled, such as the selection of boxes behind a detector."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

_WEIGHTED = frozenset(("BinaryConv2d", "Conv", "ConvTranspose", "Gemm", "MatMul", "WeightBinaryConv2d"))
_EXAMPLE = 'onnx.utils.extract_model("network.onnx", "part.onnx", {inputs}, {outputs})'
_MOST = 8  # tensors that can be named in a sentence


def suggest_cut(graph: onnx.GraphProto, refused: Sequence[onnx.NodeProto]) -> str:
    """How to compile what stands in front of the nodes ``refused``, as a call of onnx; empty where no convolution or
    dense layer stands there, or where the cut would go through too many tensors.

    The nodes of the graph stand in the order of computation.
    """
    inputs = _inputs(graph)
    cut = _frontier(graph, inputs, {name for node in refused for name in node.output if name})
    if not cut or len(cut) > _MOST or not _is_weighted(graph, cut):
        return ""
    several = "s" if len(cut) > 1 else ""
    return (
        f"end the network at the tensor{several} {', '.join(map(repr, cut))}, compile that part, and compute the rest "
        f"on its output{several}; this cuts it: {_EXAMPLE.format(inputs=inputs, outputs=cut)}"
    )


def _inputs(graph: onnx.GraphProto) -> list[str]:
    constants = {tensor.name for tensor in graph.initializer}
    return [value.name for value in graph.input if value.name not in constants]


def _frontier(graph: onnx.GraphProto, inputs: list[str], refused: set[str]) -> list[str]:
    """The values that can be computed without the values ``refused``, and that what needs these reads, or that are
    outputs.
    """
    before, behind = set(inputs), set(refused)
    found: dict[str, None] = {}
    for node in graph.node:
        if not behind.isdisjoint([*node.output, *node.input]):
            behind.update(filter(None, node.output))
            found.update(dict.fromkeys(name for name in node.input if name in before))
        elif not before.isdisjoint(node.input):
            before.update(node.output)
    found.update(dict.fromkeys(output.name for output in graph.output if output.name in before))
    return [name for name in found if name not in inputs]


def _is_weighted(graph: onnx.GraphProto, values: list[str]) -> bool:
    """Whether one of the ``values`` depends on a convolution or dense layer."""
    needed = set(values)
    for node in reversed(graph.node):
        if not needed.isdisjoint(node.output):
            if node.op_type in _WEIGHTED:
                return True
            needed.update(node.input)
    return False
