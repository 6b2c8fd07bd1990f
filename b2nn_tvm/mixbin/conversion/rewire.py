"""Changes to a captured graph: activations that overwrite nothing, and activations for binary convolutions alone."""

from __future__ import annotations

from collections.abc import Sequence

from torch import fx, nn
from torch.nn import functional as F

from b2nn_tvm.mixbin.network.activation_nodes import is_activation, is_commuting
from b2nn_tvm.mixbin.network.fx_nodes import input_of, module_of, target_name
from b2nn_tvm.mixbin.network.in_place import OUT_OF_PLACE, is_in_place

_MONOTONE_MODULES = (nn.ReLU, nn.Hardtanh, nn.Sigmoid)
_MONOTONE_FUNCTIONS = {F.relu, F.relu6, F.hardtanh, F.sigmoid, "relu", "sigmoid"}


def undo_in_place(graph_module: fx.GraphModule) -> bool:
    """Let no activation overwrite its input; nodes that read the overwritten value read the activation instead.

    Returns whether any reader was changed, that is, whether the graph now differs from the original forward.
    """
    moved = False
    order = {node: index for index, node in enumerate(graph_module.graph.nodes)}
    for node in list(graph_module.graph.nodes):
        if not (is_activation(node, graph_module) and is_in_place(node, graph_module)):
            continue
        overwritten = input_of(node)
        later = [user for user in overwritten.users if order[user] > order[node]]
        for user in later:
            user.replace_input_with(overwritten, node)
        moved = moved or bool(later)
        module = module_of(node, graph_module)
        if module is not None:
            module.inplace = False  # type: ignore[assignment]  # torch types all attributes as modules and tensors
            continue
        node.target = OUT_OF_PLACE.get(node.target, node.target)
        node.kwargs = {key: value for key, value in node.kwargs.items() if key != "inplace"}
        if node.target in (F.relu, F.relu6):
            node.args = node.args[:1]
    return moved


def feed_binary(
    graph_module: fx.GraphModule, readers: Sequence[fx.Node], sources: Sequence[fx.Node], replacement: nn.Module
) -> None:
    """Let ``readers``, all of one value made from ``sources``, read ``replacement`` of the unactivated value instead.

        x -> act -> pool -> {reader, other}   becomes   x -> pool' -> {replacement -> reader, act' -> other}

    This holds where pool and act commute; elsewhere act and pool stay for the other readers. The caller removes dead
    nodes.
    """
    graph = graph_module.graph
    value = input_of(readers[0])
    name = f"{target_name(readers[0])}_activation"
    graph_module.add_submodule(name, replacement)
    with graph.inserting_before(value.next):
        unactivated = _without(value, sources, graph)
        activated = graph.call_module(name, (unactivated,))
        for reader in readers:
            reader.args = (activated, *reader.args[1:])
        if value.users and value is not sources[0] and _may_hoist(value, sources, graph_module):
            hoisted = graph.node_copy(sources[0], lambda node: unactivated if node is input_of(sources[0]) else node)
            value.replace_all_uses_with(hoisted)


def _without(value: fx.Node, sources: Sequence[fx.Node], graph: fx.Graph) -> fx.Node:
    """A copy of the poolings and concatenations that make ``value``, without the nodes in ``sources``."""
    if value in sources:
        return input_of(value)
    first = value.args[0]
    inputs = first if isinstance(first, (list, tuple)) else [first]
    copies = {node: _without(node, sources, graph) for node in inputs if isinstance(node, fx.Node)}
    return graph.node_copy(value, lambda node: copies.get(node, node))


def _may_hoist(value: fx.Node, sources: Sequence[fx.Node], graph_module: fx.GraphModule) -> bool:
    """Whether ``sources`` is one monotone activation that may move behind ``value``.

    The nodes between the two must commute with it, and no other node may read them.
    """
    source = sources[0]
    module = module_of(source, graph_module)
    monotone = isinstance(module, _MONOTONE_MODULES) if module is not None else source.target in _MONOTONE_FUNCTIONS
    if len(sources) != 1 or not monotone:
        return False
    node = value
    while node is not source:
        if not is_commuting(node, graph_module) or (node is not value and len(node.users) != 1):
            return False
        node = input_of(node)
    return len(source.users) == 1
