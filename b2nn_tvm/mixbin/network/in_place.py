"""Which nodes of a graph change a tensor that was computed before."""

from __future__ import annotations

import operator

import torch
from torch import fx, nn
from torch.nn import functional as F

from b2nn_tvm.mixbin.network.activation_nodes import is_activation
from b2nn_tvm.mixbin.network.fx_nodes import module_of
from b2nn_tvm.mixbin.tracing.operations import set_item

# The activations whose name says that they overwrite their input, and their counterparts that do not.
OUT_OF_PLACE = {torch.relu_: F.relu, F.relu_: F.relu, "relu_": "relu", "clamp_": "clamp", "sigmoid_": "sigmoid"}

_OPERATORS = {
    *(
        getattr(operator, f"i{name}")
        for name in ("add", "sub", "mul", "truediv", "floordiv", "pow", "and", "or", "xor")
    ),
    operator.setitem,
    set_item,
}


def is_in_place(node: fx.Node, model: nn.Module) -> bool:
    """Whether the activation ``node`` overwrites its input."""
    if node.op == "call_module":
        return bool(getattr(module_of(node, model), "inplace", False))
    positional = node.target in (F.relu, F.relu6) and len(node.args) > 1 and node.args[1]
    return bool(positional or node.kwargs.get("inplace", False) or node.target in OUT_OF_PLACE)


def overwrites(node: fx.Node, model: nn.Module) -> bool:
    """Whether ``node`` changes a tensor that was computed before."""
    if is_activation(node, model):
        return is_in_place(node, model)
    if node.op == "call_module":
        return bool(getattr(module_of(node, model), "inplace", False))
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    named = node.op.startswith("call_") and name.endswith("_") and not name.endswith("__")
    writes = node.kwargs.get("inplace", False) or node.kwargs.get("out") is not None
    return named or bool(writes) or node.target in _OPERATORS


def remove_unused(graph: fx.Graph, model: nn.Module) -> None:
    """Remove the nodes whose values nobody reads, unless they overwrite a tensor."""
    graph.eliminate_dead_code(lambda node: node.op in ("placeholder", "output") or overwrites(node, model))
