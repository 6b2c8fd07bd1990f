"""Parts without elements are left out of Split and Concat:

    a, b = Split (x, [8, 0]), y = Concat (f (a), b)  ->  a = x, y = Concat (f (a))

Definitions of operators have them for what may be left out, such as the part that RotaryEmbedding does not turn.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

_STANDARD = ("", "ai.onnx")


def drop_empty_parts(
    graph: onnx.GraphProto, known: dict[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]
) -> bool:
    """Change the nodes of the graph in place; returns whether there were any.

    ``known`` are the values of constants, to which the new sizes of Splits are added, and ``shapes`` those of tensors.
    Outputs of the network stay.
    """
    kept = {value.name for value in graph.output}
    empty = {name for name, shape in shapes.items() if 0 in shape}
    changed = False
    for node in graph.node:
        if node.domain not in _STANDARD or (node.output and node.output[0] in empty & kept):
            continue
        if node.op_type == "Split":
            changed |= _shorten_split(node, known, empty - kept)
        elif node.op_type == "Concat" and node.output[0] in shapes.keys() - empty:
            parts = [name for name in node.input if name not in empty]
            changed |= len(parts) < len(node.input)
            node.input[:] = parts
    return changed


def _shorten_split(node: onnx.NodeProto, known: dict[str, np.ndarray], empty: set[str]) -> bool:
    sizes = known.get(node.input[1]) if len(node.input) > 1 else None
    if sizes is None or sizes.size != len(node.output):
        return False
    left = [(name, size) for name, size in zip(node.output, sizes, strict=True) if name not in empty]
    if not left or len(left) == len(node.output):
        return False
    if len(left) == 1:
        node.op_type = "Identity"
        del node.input[1:], node.attribute[:]
        node.output[:] = [left[0][0]]
        return True
    node.output[:] = [name for name, _ in left]
    node.input[1] = f"{left[0][0]}/sizes"
    known[node.input[1]] = np.array([size for _, size in left], np.int64)
    return True
