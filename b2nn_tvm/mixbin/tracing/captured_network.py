"""The graph module of a captured network, which can be copied and pickled with all that it knows of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import fx, nn
from torch.fx.node import map_aggregate, map_arg


class CapturedNetwork(fx.GraphModule):
    """A graph module whose nodes are pickled as they are, with ``meta``.

    torch.fx pickles its code instead, and traces that again with inputs that have neither shape nor values. This fails
    for torch.zeros(x.shape[0]) and the like.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        named: Any = _NodeName
        nodes = [
            (node.op, node.name, node.target, map_arg(node.args, named), map_arg(node.kwargs, named), node.meta)
            for node in self.graph.nodes
        ]
        state = {key: vars(self)[key] for key in ("_modules", "_parameters", "_buffers", "training")}
        return _rebuilt, (state, self.meta, nodes, type(self).__name__)


@dataclass(frozen=True)
class _NodeName:
    node: Any

    def __reduce__(self) -> tuple[Any, ...]:
        return _NodeName, (str(self.node),)


def _rebuilt(state: dict[str, Any], meta: dict[str, Any], nodes: list[Any], name: str) -> CapturedNetwork:
    root, graph = nn.Module(), fx.Graph()
    vars(root).update(state)
    made: dict[str, fx.Node] = {}

    def node_of(value: Any) -> Any:
        return made[value.node] if isinstance(value, _NodeName) else value

    for op, title, target, args, kwargs, own_meta in nodes:
        node = graph.create_node(op, target, map_aggregate(args, node_of), map_aggregate(kwargs, node_of), title)
        node.meta = own_meta
        made[title] = node
    network = CapturedNetwork(root, graph, class_name=name)
    network.meta = meta
    return network
