"""Which convolutions read one tensor, and which ones read another convolution's result alone.

Their costs are not independent: the signs of a tensor are packed once for all of its binary readers, a float copy is
kept as soon as one reader is float, and between two binary convolutions no float tensor has to exist.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import fx, nn
from torch.nn import functional as F

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.network.activation_nodes import is_activation, is_commuting
from b2nn_tvm.mixbin.network.capture import capture
from b2nn_tvm.mixbin.network.fx_nodes import input_of, module_of
from b2nn_tvm.mixbin.network.layers import layer_nodes

# They act on each value, or each channel, alone, so that a compiler computes them where the tensor is written or read.
_PER_CHANNEL_MODULES = (nn.BatchNorm2d, nn.Identity, nn.Dropout, nn.Dropout2d)
_PER_CHANNEL_FUNCTIONS = {F.batch_norm, torch.batch_norm, F.dropout, F.dropout2d}


def shared_inputs(model: nn.Module, layers: Collection[str]) -> tuple[tuple[str, ...], ...]:
    """The groups of two or more of ``layers`` that read the same tensor, in network order.

    Activations, batch norms and dropout between a tensor and its reader belong to the reader. Pooled values are another
    tensor. Raises InputError for an unknown layer and UnsupportedError for a model that torch.fx cannot trace.
    """
    graph_module = capture(model)
    groups: dict[fx.Node, list[str]] = {}
    for name, node in _nodes(graph_module, layers).items():
        groups.setdefault(_tensor(node, graph_module, through_pooling=False), []).append(name)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def chains(model: nn.Module, layers: Collection[str]) -> tuple[tuple[str, str], ...]:
    """The pairs (producer, consumer) among ``layers`` in which the consumer reads nothing but the producer's result.

    Activations, batch norms, dropout and max poolings may stand between the two, and others may read the result as
    well. Pairs are in the network order of their consumers. Raises as ``shared_inputs`` does.
    """
    graph_module = capture(model)
    nodes = _nodes(graph_module, layers)
    producers = {node: name for name, node in nodes.items()}
    sources = {name: _tensor(node, graph_module, through_pooling=True) for name, node in nodes.items()}
    return tuple((producers[source], name) for name, source in sources.items() if source in producers)


def _nodes(graph_module: fx.GraphModule, layers: Collection[str]) -> dict[str, fx.Node]:
    nodes = layer_nodes(graph_module)
    unknown = sorted(set(layers) - set(nodes))
    if unknown:
        raise InputError(f"the network has no layer {', '.join(unknown)}; its layers are {', '.join(nodes)}")
    return {name: node for name, node in nodes.items() if name in layers}


def _tensor(node: fx.Node, graph_module: fx.GraphModule, *, through_pooling: bool) -> fx.Node:
    """The node whose result ``node`` reads, behind everything that belongs to the reader."""
    source = input_of(node)
    while _belongs_to_reader(source, graph_module) or (through_pooling and is_commuting(source, graph_module)):
        source = input_of(source)
    return source


def _belongs_to_reader(node: fx.Node, graph_module: fx.GraphModule) -> bool:
    module = module_of(node, graph_module)
    if isinstance(module, _PER_CHANNEL_MODULES) or is_activation(node, graph_module):
        return True
    return node.op == "call_function" and node.target in _PER_CHANNEL_FUNCTIONS
