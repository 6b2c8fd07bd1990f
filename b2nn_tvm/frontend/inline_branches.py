"""Put the body of an If or Loop in its place where its condition and its count are known:

    If (true) <then_branch = {y = Relu (x)}, else_branch = {...}>  ->  y = Relu (x)
    Loop (3, true, x) <body>                                       ->  the body three times, one behind the other

Exporters of scripted modules leave such nodes behind for conditions on static shapes and flags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from b2nn_tvm.frontend.checks.walk_model import inner_graphs

_MOST_NODES = 20_000  # of one unrolled loop
_STANDARD = ("", "ai.onnx")
Fold = Callable[[onnx.NodeProto, dict[str, np.ndarray]], bool]


def inline_branches(graph: onnx.GraphProto, known: dict[str, np.ndarray], fold: Fold) -> bool:
    """Replace the If and Loop nodes of the graph that ``known`` values decide; returns whether there were any.

    ``fold`` enters the outputs of a node into known values, and returns whether it could. The initializers of bodies
    are added to ``known`` under new names.
    """
    nodes: list[onnx.NodeProto] = []
    changed = False
    for node in graph.node:
        body = (
            list(_replacement(node, known, fold)) if node.op_type in ("If", "Loop") and node.domain in _STANDARD else []
        )
        changed |= bool(body)
        nodes += body or [node]
    if changed:
        copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:]
        graph.node.extend(copies)
    return changed


def _replacement(node: onnx.NodeProto, known: dict[str, np.ndarray], fold: Fold) -> Iterator[onnx.NodeProto]:
    """The nodes in place of an If or Loop; none where it cannot be decided."""
    bodies = {attribute.name: attribute.g for attribute in node.attribute if attribute.HasField("g")}
    if node.op_type == "If":
        condition = known.get(node.input[0])
        branch = bodies.get("then_branch" if condition is not None and condition.any() else "else_branch")
        if condition is not None and branch is not None and len(branch.output) == len(node.output):
            yield from _placed(branch, f"{node.name}/", {}, list(node.output), known)
        return
    body = bodies.get("body")
    count = _count(node, body, known, fold) if body is not None else None
    if body is None or count is None or count * max(1, len(body.node)) > _MOST_NODES:
        return
    yield from _unrolled(node, body, count, known)


def _count(node: onnx.NodeProto, body: onnx.GraphProto, known: dict[str, np.ndarray], fold: Fold) -> int | None:
    """How often the body of a Loop runs; None where that depends on values.

    What its condition needs is computed run by run: the number of the run, and counters that the body carries along.
    """
    inputs = [*node.input, "", ""]
    carried = len(node.input) - 2
    if carried < 0 or len(body.input) != carried + 2 or len(node.output) != len(body.output) - 1:
        return None
    most = known.get(inputs[0]) if inputs[0] else None
    start = known.get(inputs[1]) if inputs[1] else np.array(True)
    if start is None or (inputs[0] and (most is None or most.size != 1)):
        return None
    limit = max(0, int(most.item())) if most is not None else _MOST_NODES + 1
    if not start.any():
        return 0
    number, on, condition = body.input[0].name, body.input[1].name, body.output[0].name
    given = {value.name: outer for value, outer in zip(body.input[2:], node.input[2:])}
    results = {value.name: result.name for value, result in zip(body.input[2:], body.output[1:])}
    nodes, leaves = _needed(body, condition, results)
    values = {name: known[name] for name in leaves & known.keys()}
    values |= {each.name: numpy_helper.to_array(each) for each in body.initializer if each.name in leaves}
    values |= {name: known[given[name]] for name in leaves & given.keys() if given[name] in known}
    for run in range(min(limit, _MOST_NODES // max(1, len(nodes)))):
        values |= {number: np.array(run, np.int64), on: np.array(True)}
        if not all(fold(each, values) for each in nodes) or condition not in values:
            return None
        if not values[condition].any():
            return run + 1
        if leaves.isdisjoint([number, *given]):
            return None if most is None else limit  # each run is like the first one
        values |= {name: values[results[name]] for name in leaves & given.keys()}
    return limit if limit <= _MOST_NODES // max(1, len(nodes)) else None


def _needed(body: onnx.GraphProto, condition: str, results: Mapping[str, str]) -> tuple[list[onnx.NodeProto], set[str]]:
    """The nodes of the body by which its condition is computed, and all that these read; ``results`` are the values
    that a run hands to the next one, by what they are called there.
    """
    wanted, before = {condition}, 0
    nodes: list[onnx.NodeProto] = []
    while len(wanted) > before:
        before = len(wanted)
        nodes = []
        for node in reversed(body.node):
            if not wanted.isdisjoint(node.output):
                nodes.append(node)
                wanted.update(filter(None, node.input))
        wanted |= {results[name] for name in wanted & results.keys()}
    computed = {name for node in nodes for name in node.output}
    return nodes[::-1], wanted - computed


def _unrolled(
    node: onnx.NodeProto, body: onnx.GraphProto, count: int, known: dict[str, np.ndarray]
) -> Iterator[onnx.NodeProto]:
    values = list(node.input[2:])
    stacked: list[list[str]] = [[] for _ in body.output[1 + len(values) :]]
    if not count and stacked:
        return  # results without any element
    for run in range(count):
        prefix = f"{node.name}/{run}/"
        known[f"{prefix}run"], known[f"{prefix}on"] = np.array(run, np.int64), np.array(True)
        given = dict(zip((each.name for each in body.input), [f"{prefix}run", f"{prefix}on", *values]))
        outputs = [f"{prefix}result{index}" for index in range(len(body.output))]
        yield from _placed(body, prefix, given, outputs, known)
        values = outputs[1 : 1 + len(values)]
        for parts, name in zip(stacked, outputs[1 + len(values) :]):
            parts.append(name)
    for value, output in zip(values, node.output):
        if output:
            yield helper.make_node("Identity", [value], [output], name=f"{node.name}/{output}")
    for parts, output in zip(stacked, node.output[len(values) :]):
        if output:
            known[f"{node.name}/axis"] = np.array([0], np.int64)
            rows = [f"{part}/row" for part in parts]
            for part, row in zip(parts, rows):
                yield helper.make_node("Unsqueeze", [part, f"{node.name}/axis"], [row], name=row)
            yield helper.make_node("Concat", rows, [output], axis=0, name=f"{node.name}/{output}")


def _placed(
    body: onnx.GraphProto, prefix: str, given: Mapping[str, str], outputs: list[str], known: dict[str, np.ndarray]
) -> Iterator[onnx.NodeProto]:
    """The nodes of ``body`` with names of their own; ``given`` are the values of its inputs."""
    names = dict(given)
    for tensor in body.initializer:
        names[tensor.name] = f"{prefix}{tensor.name}"
        known[f"{prefix}{tensor.name}"] = numpy_helper.to_array(tensor)
    for node in body.node:
        names.update({output: f"{prefix}{output}" for output in node.output if output})
    for node in body.node:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.name = f"{prefix}{node.name or (node.output[0] if node.output else node.op_type)}"
        _rename(copy, names)
        yield copy
    for value, output in zip(body.output, outputs):
        if output:
            source = names.get(value.name, value.name)
            yield helper.make_node("Identity", [source], [output], name=f"{prefix}{output}")


def _rename(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    """Give the values that the node reads and computes, also inside of its graphs, their new names."""
    for values in (node.input, node.output):
        values[:] = [names.get(name, name) for name in values]
    waiting = list(inner_graphs(node))
    while waiting:
        graph = waiting.pop()
        for value in graph.output:
            value.name = names.get(value.name, value.name)
        for inner in graph.node:
            inner.input[:] = [names.get(name, name) for name in inner.input]
            waiting.extend(inner_graphs(inner))
