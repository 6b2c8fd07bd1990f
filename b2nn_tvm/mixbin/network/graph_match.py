"""Find the nodes that compute the same value in two captured graphs of one network, from the input on.

Two nodes match if their operations, their modules' parameters and all their inputs match; running statistics of batch
norms do not count, since they are re-estimated.
"""

from __future__ import annotations

import torch
from torch import fx, nn

from b2nn_tvm.mixbin.network.fx_nodes import module_of, target_name
from b2nn_tvm.mixbin.network.in_place import overwrites

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def match(variant: fx.GraphModule, reference: fx.GraphModule) -> dict[fx.Node, fx.Node]:
    """A map from nodes of ``variant`` to nodes of ``reference`` that compute the same value; outputs are left out."""
    by_key: dict[str, fx.Node] = {}
    for node in reference.graph.nodes:
        by_key.setdefault(_key(node, {source: source for source in node.all_input_nodes}), node)
    found: dict[fx.Node, fx.Node] = {}
    for node in variant.graph.nodes:
        if node.op != "output" and all(source in found for source in node.all_input_nodes):
            other = by_key.get(_key(node, found))
            if other is not None and _same(node, variant, other, reference):
                found[node] = other
    return found


def cut(variant: fx.GraphModule, matches: dict[fx.Node, fx.Node], reference: fx.GraphModule) -> int:
    """The number of leading nodes of ``reference`` that need not be computed again for ``variant``.

    Any of their values that the rest of ``variant`` reads is still read by the rest of ``reference``.
    """
    nodes = list(reference.graph.nodes)
    order = {node: index for index, node in enumerate(nodes)}
    last_use = {node: max((order[user] for user in node.users), default=-1) for node in nodes}
    kept = set(matches.values())
    count = next((order[node] for node in nodes if node not in kept), len(nodes))
    while True:
        shared = {node for node, other in matches.items() if order[other] < count}
        read = {source for node in variant.graph.nodes if node not in shared for source in node.all_input_nodes}
        earliest = min((last_use[matches[node]] for node in read & shared), default=count)
        if earliest >= count:
            return count
        count = earliest


def overwrites_any(graph_module: fx.GraphModule) -> bool:
    """Whether a node of the graph changes a tensor that was computed before, so that values must not be kept."""
    return any(overwrites(node, graph_module) for node in graph_module.graph.nodes)


def _key(node: fx.Node, names: dict[fx.Node, fx.Node]) -> str:
    """The operation and its inputs as text, in which ``names`` stand for the inputs."""
    arguments = fx.map_arg((node.args, node.kwargs), lambda source: names[source])
    marked = fx.map_arg(arguments, lambda source: f"%{source.name}")
    return repr((node.op, node.target, marked))


def _same(node: fx.Node, variant: fx.GraphModule, other: fx.Node, reference: fx.GraphModule) -> bool:
    if node.op == "get_attr":
        return _equal(_attribute(variant, target_name(node)), _attribute(reference, target_name(other)))
    one, two = module_of(node, variant), module_of(other, reference)
    if one is None or two is None:
        return one is two
    return one is two or (type(one) is type(two) and repr(one) == repr(two) and _equal_state(one, two))


def _equal_state(one: nn.Module, two: nn.Module) -> bool:
    mine, others = one.state_dict(), two.state_dict()
    names = [name for name in mine if name.rpartition(".")[2] not in _STATISTICS]
    return mine.keys() == others.keys() and all(_equal(mine[name], others[name]) for name in names)


def _equal(one: object, two: object) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        return one is two or (one.dtype == two.dtype and torch.equal(one, two))
    return one is two


def _attribute(graph_module: fx.GraphModule, target: str) -> object:
    module, _, name = target.rpartition(".")
    return getattr(graph_module.get_submodule(module), name)
