"""Products of the image's values and a network's own weights that are no modules, such as ``x @ self.weight``."""

from __future__ import annotations

from collections.abc import Callable

from torch import fx

from b2nn_tvm.mixbin.network.fx_nodes import target_name
from b2nn_tvm.mixbin.tracing.operations import MATRIX_FUNCTIONS, PRODUCTS


def own_products(graph_module: fx.GraphModule, is_layer: Callable[[fx.Node], bool]) -> frozenset[fx.Node]:
    """The nodes that multiply by weights as ``MATRIX_FUNCTIONS`` do, or as ``PRODUCTS`` behind some layer.

    One operand of the latter follows from the image, and another one does not; a product of two that do is attention. A
    product in front of all layers changes the image's colours, say, and is none.
    """
    follows: set[fx.Node] = set()  # the image
    behind: set[fx.Node] = set()  # a layer
    found: set[fx.Node] = set()
    for node in graph_module.graph.nodes:
        sources = node.all_input_nodes
        if node.op == "placeholder" or follows.intersection(sources):
            follows.add(node)
        own = node.op.startswith("call") and node.target in MATRIX_FUNCTIONS
        if node.target in PRODUCTS and behind.intersection(sources):
            own = not follows.issuperset(sources)
        if own:
            found.add(node)
        if own or is_layer(node) or behind.intersection(sources):
            behind.add(node)
    return frozenset(found)


def name_of_weights(node: fx.Node) -> str:
    """The name of the parameter by which ``node`` multiplies, or of the module that has it as its weight; "" where the
    weights are made of several tensors.
    """
    for source in node.all_input_nodes:
        while source.op != "get_attr" and len(source.all_input_nodes) == 1:
            (source,) = source.all_input_nodes
        if source.op == "get_attr":
            return target_name(source).removesuffix(".weight")
    return ""
