"""Activations in a captured graph: which of them drop the sign, and which one feeds a convolution."""

from __future__ import annotations

from collections.abc import Container

import torch
from torch import fx, nn
from torch.nn import functional as F

from b2nn_tvm.mixbin.modules.activations import BinReLU, LeakyClip, RPReLU, SignFollows
from b2nn_tvm.mixbin.network.fx_nodes import module_of

# Behind these activations every sign, or (underflow to -0.0) nearly every sign, is +1: binary layers learn nothing.
_DROPS_SIGN_MODULES = (
    *(nn.ReLU, nn.ReLU6, nn.Sigmoid, nn.Hardsigmoid, nn.Softplus, nn.Hardswish, nn.SiLU, nn.GELU, nn.Mish),
)
_DROPS_SIGN_FUNCTIONS = {
    *(F.relu, F.relu6, torch.relu, torch.relu_, F.relu_, F.sigmoid, torch.sigmoid, F.hardsigmoid, F.softplus),
    *(F.hardswish, F.silu, F.gelu, F.mish, "relu", "relu_", "sigmoid", "sigmoid_"),
}
_KEEPS_SIGN_MODULES = (
    *(nn.PReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.Tanh, nn.Softsign),
    *(BinReLU, LeakyClip, RPReLU, SignFollows),
)
_KEEPS_SIGN_FUNCTIONS = {F.prelu, F.leaky_relu, F.elu, F.selu, F.celu, F.tanh, torch.tanh, F.softsign, "tanh"}
_CLAMPS = {torch.clamp, torch.clamp_min, F.hardtanh, "clamp", "clamp_", "clamp_min"}

# Operators that may stand between an activation and its convolution; some commute with monotone activations.
MAX_POOLINGS = {
    *(F.max_pool1d, getattr(F, "_max_pool1d"), torch.max_pool1d),  # noqa: B009 - torch's types leave it out
    *(F.max_pool2d, getattr(F, "_max_pool2d"), torch.max_pool2d),  # noqa: B009
}
_MOVING_MODULES = (nn.UpsamplingNearest2d, nn.PixelShuffle, nn.PixelUnshuffle, nn.ChannelShuffle)
_MOVING_FUNCTIONS = {F.pixel_shuffle, F.pixel_unshuffle, F.channel_shuffle}
_COMMUTING_MODULES = (nn.MaxPool1d, nn.MaxPool2d, nn.Identity, *_MOVING_MODULES)
_COMMUTING_FUNCTIONS = MAX_POOLINGS | _MOVING_FUNCTIONS
_PASSING_MODULES = (
    *_COMMUTING_MODULES,
    *(nn.AvgPool1d, nn.AvgPool2d, nn.Upsample, nn.Dropout, nn.Dropout1d, nn.Dropout2d),
)
_PASSING_FUNCTIONS = _COMMUTING_FUNCTIONS | {
    *(F.avg_pool1d, torch.avg_pool1d, F.avg_pool2d, F.interpolate, F.dropout, F.dropout1d, F.dropout2d),
    *(torch.cat, torch.concat),
}


def drops_sign(node: fx.Node, graph_module: nn.Module) -> bool:
    """Whether ``node`` is an activation behind which the sign carries no information."""
    module = module_of(node, graph_module)
    if isinstance(module, nn.Hardtanh):  # includes ReLU6
        return module.min_val >= 0
    if node.op in ("call_function", "call_method") and node.target in _CLAMPS:
        low = _lower_bound(node)
        return isinstance(low, (int, float)) and low >= 0
    return _is(node, module, _DROPS_SIGN_MODULES, _DROPS_SIGN_FUNCTIONS)


def is_activation(node: fx.Node, graph_module: nn.Module) -> bool:
    """Whether ``node`` is an elementwise activation, be it one that keeps or one that drops the sign."""
    module = module_of(node, graph_module)
    if isinstance(module, nn.Hardtanh) or (node.op in ("call_function", "call_method") and node.target in _CLAMPS):
        return True
    return drops_sign(node, graph_module) or _is(node, module, _KEEPS_SIGN_MODULES, _KEEPS_SIGN_FUNCTIONS)


def is_passing(node: fx.Node, graph_module: nn.Module) -> bool:
    """Whether a convolution behind ``node`` still reads the activation in front of it (pooling, concatenation)."""
    module = module_of(node, graph_module)
    return not isinstance(module, SignFollows) and _is(node, module, _PASSING_MODULES, _PASSING_FUNCTIONS)


def is_commuting(node: fx.Node, graph_module: nn.Module) -> bool:
    """Whether ``node`` may change places with a non-decreasing activation without changing the result."""
    return _is(node, module_of(node, graph_module), _COMMUTING_MODULES, _COMMUTING_FUNCTIONS)


def activations_before(node: fx.Node, graph_module: nn.Module) -> list[fx.Node]:
    """The activations that feed ``node``, through poolings and concatenations; empty where one path has none."""
    found: list[fx.Node] = []
    pending = [node.args[0]]
    while pending:
        value = pending.pop()
        if not isinstance(value, fx.Node):
            return []
        if is_activation(value, graph_module):
            found.append(value)
        elif is_passing(value, graph_module):
            source = value.args[0]
            pending.extend(reversed(source) if isinstance(source, (list, tuple)) else [source])
        else:
            return []
    return found


def _lower_bound(node: fx.Node) -> object:
    if node.target is F.hardtanh:
        return node.kwargs.get("min_val", node.args[1] if len(node.args) > 1 else -1.0)
    return node.kwargs.get("min", node.args[1] if len(node.args) > 1 else None)


def _is(node: fx.Node, module: nn.Module | None, modules: tuple[type, ...], functions: Container[object]) -> bool:
    if module is not None:
        return isinstance(module, modules)
    return node.op in ("call_function", "call_method") and node.target in functions
