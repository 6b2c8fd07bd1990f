"""The names, modules and inputs of torch.fx nodes, with the types that torch leaves open."""

from __future__ import annotations

from torch import fx, nn


def target_name(node: fx.Node) -> str:
    """The name of the module, method or attribute that ``node`` stands for; raises TypeError for a called function."""
    if not isinstance(node.target, str):
        raise TypeError(f"expected a node with a named target, but {node} calls the function {node.target}")
    return node.target


def module_of(node: fx.Node, model: nn.Module) -> nn.Module | None:
    """The module of ``model``, or of its graph, that ``node`` calls, or None."""
    return model.get_submodule(target_name(node)) if node.op == "call_module" else None


def input_of(node: fx.Node, *, index: int = 0) -> fx.Node:
    """The node that is argument ``index`` of ``node``; raises TypeError where the argument is a constant or a list."""
    source = node.args[index]
    if not isinstance(source, fx.Node):
        raise TypeError(f"expected a node as argument {index} of {node}, but it is {source!r}")
    return source
