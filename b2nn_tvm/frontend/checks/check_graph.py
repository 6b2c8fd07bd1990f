"""Check that the values of an ONNX graph hang together: each is given or computed once, before it is read, and no cycle
leads back to it.

Nodes that stand in another order than they are computed in are sorted. All is linear in the size of the file, and
nothing is recursive.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence, Set

import onnx

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_names import quoted
from b2nn_tvm.frontend.checks.walk_model import inner_graphs, nested_graphs

_SHOWN = 4  # nodes of a cycle that an error names


def check_graph(model: onnx.ModelProto) -> None:
    """Sort the nodes of the model's graph, and of the graphs inside of its nodes, into an order that can be computed.

    Raises InputError where a value is missing, is defined twice or depends on itself.
    """
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    if not graph.output:
        raise InputError("the network has no output; export it again")
    if all(value.name in constants for value in graph.input):
        raise InputError("the network has no input that is not a constant of the file; export it with an input")
    _check_unique("output", [value.name for value in graph.output])
    waiting: list[tuple[onnx.GraphProto, tuple[Set[str], ...]]] = [(graph, ())]
    while waiting:
        inside, around = waiting.pop()
        scopes = (_check_values(inside, around), *around)
        waiting.extend((inner, scopes) for node in inside.node for inner in inner_graphs(node))
        _sort_nodes(inside)


def node_label(node: onnx.NodeProto, index: int) -> str:
    """A node as an error shows it."""
    return f"node {quoted(node.name) if node.name else index} ({quoted(node.op_type)[1:-1]})"


def _check_values(graph: onnx.GraphProto, around: Sequence[Set[str]]) -> Set[str]:
    """The names that the graph defines; ``around`` are those of the graphs around it, which its nodes may read, too."""
    _check_unique("input", [value.name for value in graph.input])
    _check_unique("initializer", [tensor.name for tensor in graph.initializer])
    defined = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    if "" in defined:
        raise InputError("an input or an initializer has no name; the file is damaged: export it again")
    given = frozenset(defined)
    for index, node in enumerate(graph.node):
        for name in filter(None, node.output):
            if name in defined:
                before = "given by the file" if name in given else "computed by another node before"
                raise InputError(f"the value {quoted(name)} of {node_label(node, index)} is {before}; export it again")
            defined.add(name)
    scopes = (defined, *around)
    for index, node in enumerate(graph.node):
        for name in filter(None, node.input):
            if not any(name in scope for scope in scopes):
                raise InputError(
                    f"{node_label(node, index)} reads the value {quoted(name)}, which is no input, no initializer and "
                    "computed by no node; the file is damaged: export it again"
                )
    for value in graph.output:
        if not any(value.name in scope for scope in scopes):
            raise InputError(f"the output {quoted(value.name)} is computed by no node; export it again")
    return defined


def _check_unique(what: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"the {what} {quoted(name)} is there twice; the file is damaged: export it again")
        seen.add(name)


def _sort_nodes(graph: onnx.GraphProto) -> None:
    """Put each node behind those that it reads, and else keep the order of the file; raises InputError for a cycle."""
    producer = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    before = [{producer[name] for name in _reads(node) if name in producer} for node in graph.node]
    if all(max(indices, default=-1) < index for index, indices in enumerate(before)):
        return
    readers: list[list[int]] = [[] for _ in before]
    for index, indices in enumerate(before):
        for earlier in indices:
            readers[earlier].append(index)
    missing = [len(indices) for indices in before]
    ready = [index for index, count in enumerate(missing) if not count]
    order = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for reader in readers[index]:
            missing[reader] -= 1
            if not missing[reader]:
                heapq.heappush(ready, reader)
    if len(order) < len(before):
        names = [node_label(graph.node[index], index) for index in _cycle(before, missing)]
        shown = " -> ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        raise InputError(f"the graph has a cycle, which cannot be computed: {shown}; export the network again")
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes[index] for index in order)


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """The values that a node reads, also in the graphs inside of it."""
    yield from node.input
    for graph in nested_graphs([node]):
        yield from (value.name for value in graph.output)
        for inner in graph.node:
            yield from inner.input


def _cycle(before: Sequence[Set[int]], missing: Sequence[int]) -> list[int]:
    """The nodes of one cycle, in the order of computation; each node with ``missing`` inputs has another before it."""
    at = next(index for index, count in enumerate(missing) if count)
    places: dict[int, int] = {}
    path: list[int] = []
    while at not in places:
        places[at] = len(path)
        path.append(at)
        at = next(index for index in before[at] if missing[index])
    return path[places[at] :][::-1]
