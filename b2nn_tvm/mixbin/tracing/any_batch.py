"""Two recordings with different batch sizes become one graph for any batch size.

4 images: view(4, -1)    8 images: view(8, -1)    becomes   view(x.shape[0], -1)
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx

from b2nn_tvm.mixbin.tracing.record import Recording

BATCHES = (4, 8)  # even, because some networks split the batch in halves


class BatchDecides(Exception):
    """The batch size decides more than the sizes of tensors, as a loop over the images does."""


def for_any_batch(small: Recording, large: Recording, *, batch: int) -> None:
    """Let the graph of ``small``, recorded with BATCHES[0] images, compute what both compute; in place.

    ``large`` was recorded with BATCHES[1] images. The shapes become those for ``batch`` images. A number that is a
    multiple of the batch size in both becomes that multiple of the input's first size. Raises BatchDecides where the
    two differ in anything else.
    """
    nodes, others = list(small.graph.nodes), list(large.graph.nodes)
    if len(nodes) != len(others):
        raise BatchDecides
    for node, other in zip(nodes, others, strict=True):
        if (node.op, node.name) != (other.op, other.name) or node.target != other.target:
            raise BatchDecides
    if not all(torch.equal(value, large.constants[name]) for name, value in small.constants.items()):
        raise BatchDecides
    twins = dict(zip(nodes, others, strict=True))
    counts: dict[int, fx.Node] = {}
    for node in nodes:
        node.args, node.kwargs = (
            _merged(mine, theirs, twins, counts, small.graph)
            for mine, theirs in ((node.args, twins[node].args), (node.kwargs, twins[node].kwargs))
        )
        if "shape" in node.meta:
            node.meta["shape"] = _shape(node.meta["shape"], twins[node].meta["shape"], batch)


def _merged(one: Any, two: Any, twins: Mapping[fx.Node, fx.Node], counts: dict[int, fx.Node], graph: fx.Graph) -> Any:
    """The argument that is ``one`` for a small batch and ``two`` for a large one."""

    def merged(first: Any, second: Any) -> Any:
        return _merged(first, second, twins, counts, graph)

    if isinstance(one, fx.Node):
        if twins[one] is not two:
            raise BatchDecides
        return one
    if isinstance(one, tuple | list) and isinstance(two, tuple | list) and len(one) == len(two):
        return type(one)([merged(*pair) for pair in zip(one, two, strict=True)])
    if isinstance(one, dict) and isinstance(two, dict) and list(one) == list(two):
        return {key: merged(one[key], two[key]) for key in one}
    if isinstance(one, slice) and isinstance(two, slice):
        return slice(merged(one.start, two.start), merged(one.stop, two.stop), merged(one.step, two.step))
    if type(one) is int and type(two) is int and one != two:
        times, rest = divmod(one, BATCHES[0])
        if rest or times * BATCHES[1] != two:
            raise BatchDecides
        if times not in counts:
            counts[times] = _count(times, counts, graph)
        return counts[times]
    if one is not two and (type(one) is not type(two) or one != two):
        raise BatchDecides
    return one


def _count(times: int, counts: dict[int, fx.Node], graph: fx.Graph) -> fx.Node:
    """``times`` the batch size, computed right behind the input."""
    image = next(node for node in graph.nodes if node.op == "placeholder")
    if 1 not in counts:
        with graph.inserting_after(image):
            counts[1] = graph.call_method("size", (image, 0))
    if times == 1:
        return counts[1]
    with graph.inserting_after(counts[1]):
        return graph.call_function(operator.mul, (counts[1], times))


def _shape(small: tuple[int, ...], large: tuple[int, ...], batch: int) -> tuple[int, ...]:
    """The shape for ``batch`` images, on the straight line through both sizes of each axis."""
    if len(small) != len(large):
        raise BatchDecides
    step = BATCHES[1] - BATCHES[0]
    return tuple(one + (two - one) * (batch - BATCHES[0]) // step for one, two in zip(small, large, strict=True))
