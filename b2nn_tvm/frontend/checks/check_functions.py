"""Check the functions of an ONNX file before they are inlined: none calls itself, and together they stay small."""

from __future__ import annotations

from collections.abc import Iterable

import onnx

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_names import quoted
from b2nn_tvm.frontend.checks.walk_model import nested_graphs

DEEPEST = 100  # onnx's inliner is recursive
MOST_NODES = 1_000_000  # of the graph with all functions inlined; a large network has some thousands


def check_functions(model: onnx.ModelProto) -> None:
    """Raise InputError where functions call one another in a circle, more than a hundred deep, or so often that the
    graph with all of them inlined would have more than a million nodes.
    """
    calls = {}
    for function in model.functions:
        key = function.domain, function.name, function.overload
        if key in calls:
            raise InputError(f"the function {quoted(function.name)} is there twice; export the network again")
        calls[key] = _called(function.node)
    sizes: dict[tuple[str, str, str], int] = {}
    depths: dict[tuple[str, str, str], int] = {}
    for start in calls:
        path = {start: iter(calls[start])}  # each function on the way down, and those that it has yet to ask
        while path:
            at, left = next(reversed(path.items()))
            inner = next((key for key in left if key in calls and key not in sizes), None)
            if inner is None:
                sizes[at] = _inlined_size(calls[at], sizes)
                depths[at] = 1 + max((depths.get(key, 0) for key in calls[at]), default=0)
                del path[at]
            elif inner in path:
                raise InputError(f"the function {quoted(inner[1])} calls itself; export the network without it")
            else:
                path[inner] = iter(calls[inner])
    if max(depths.values(), default=0) > DEEPEST:
        raise InputError(f"functions call one another more than {DEEPEST} deep; export the network without them")
    total = _inlined_size(_called(model.graph.node), sizes)
    if total > MOST_NODES:
        raise InputError(
            f"with its functions inlined the graph would have more than {MOST_NODES} nodes; export a smaller network"
        )


def _called(nodes: Iterable[onnx.NodeProto]) -> dict[tuple[str, str, str], int]:
    """How often each operator is there, in the graphs inside of nodes as well."""
    counts: dict[tuple[str, str, str], int] = {}
    for node in (*nodes, *(node for graph in nested_graphs(nodes) for node in graph.node)):
        key = node.domain, node.op_type, node.overload
        counts[key] = counts.get(key, 0) + 1
    return counts


def _inlined_size(called: dict[tuple[str, str, str], int], sizes: dict[tuple[str, str, str], int]) -> int:
    return min(MOST_NODES + 1, sum(count * max(1, sizes.get(key, 1)) for key, count in called.items()))
