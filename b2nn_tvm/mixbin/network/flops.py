"""Floating-point operations as the MixBin paper counts them (the convention of the torchstat tool).

A convolution or linear layer costs its multiply-accumulates (a convolution's bias one more per output element), a
binary convolution 1/64 of them, batch norm 2 per element, an activation or pooling 1 per input element; all else is
free, adaptive pooling and additions too. A module that is called several times counts once. The 1/64 is the paper's
64-bit word, not a measurement; costs/precisions.py continues it to layers of more bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import fx, nn
from torch.nn import functional as F

from b2nn_tvm.costs.precisions import counted_flops
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.modules.quantized_layer import QuantizedConv2d, QuantizedLayer, QuantizedLinear
from b2nn_tvm.mixbin.network.activation_nodes import MAX_POOLINGS, is_activation
from b2nn_tvm.mixbin.network.capture import capture_shapes, tensor_shape
from b2nn_tvm.mixbin.network.fx_nodes import input_of, module_of
from b2nn_tvm.mixbin.tracing.operations import MATRIX_FUNCTIONS

BINARY_SAVING = 64  # multiply-accumulates of one 64-bit xnor and popcount

_POOLINGS = (nn.MaxPool1d, nn.AvgPool1d, nn.MaxPool2d, nn.AvgPool2d)
_POOLING_FUNCTIONS = {*MAX_POOLINGS, F.avg_pool1d, F.avg_pool2d}


@dataclass(frozen=True)
class LayerFlops:
    """The cost of one module or function: ``flops`` as it is; ``float_flops`` and ``binary_flops`` in either precision.

    ``binary_flops`` is None for everything but 1-D and 2-D convolution modules.
    """

    name: str
    kind: str
    flops: int
    float_flops: int
    binary_flops: int | None


def flops(model: nn.Module, input_shape: Sequence[int], binary: Iterable[str] = ()) -> int:
    """The operations of one inference of ``model``, the convolutions named in ``binary`` being binary.

    ``input_shape`` is [C, H, W] or [N, C, H, W]. Raises InputError for a name that is not a convolution of the model.
    """
    return sum(row.flops for row in flops_by_layer(model, input_shape, binary))


def flops_by_layer(model: nn.Module, input_shape: Sequence[int], binary: Iterable[str] = ()) -> tuple[LayerFlops, ...]:
    """The costs that ``flops`` adds up, one row per module or function that costs anything, in their order.

    Raises InputError for a name that is not a convolution of the model.
    """
    graph_module = capture_shapes(model, input_shape)
    # A later call of the same module replaces the earlier one, as in torchstat.
    last_calls = {(node.target if node.op == "call_module" else node.name): node for node in graph_module.graph.nodes}
    costs = {name: _cost(node, graph_module) for name, node in last_calls.items()}
    convolutions = [name for name, (_, binary_cost) in costs.items() if binary_cost is not None]
    chosen = set(binary)
    if chosen - set(convolutions):
        raise InputError(
            f"not a convolution of this {type(model).__name__}: {', '.join(sorted(chosen - set(convolutions)))}; "
            f"choose from {', '.join(convolutions)}"
        )
    rows = []
    for name, (float_cost, binary_cost) in costs.items():
        if float_cost == 0:
            continue
        module = module_of(last_calls[name], graph_module)
        is_binary = name in chosen or (isinstance(module, BinaryConv2d) and module.input_binary)
        kind = type(module).__name__ if module is not None else name
        cost = binary_cost if is_binary and binary_cost is not None else float_cost
        if isinstance(module, QuantizedLayer):
            bias = 0 if module.bias is None else _elements(last_calls[name])
            cost = counted_flops(float_cost - bias, module.precision) + bias
        rows.append(LayerFlops(name, kind, cost, float_cost, binary_cost))
    return tuple(rows)


def _cost(node: fx.Node, graph_module: fx.GraphModule) -> tuple[int, int | None]:
    """Float and binary cost of one call."""
    module = module_of(node, graph_module)
    if isinstance(module, (nn.Conv1d, nn.Conv2d, BinaryConv2d, QuantizedConv2d)):
        macs = _elements(node) * module.weight[0].numel()
        bias = 0 if module.bias is None else _elements(node)
        return macs + bias, -(-macs // BINARY_SAVING) + bias
    if isinstance(module, nn.modules.conv._ConvNd):
        grid = input_of(node) if module.transposed else node
        return _elements(grid) * module.weight[0].numel() + (0 if module.bias is None else _elements(node)), None
    if isinstance(module, (nn.Linear, QuantizedLinear)):
        return _elements(node) * module.in_features, None
    if node.op == "call_function" and node.target in MATRIX_FUNCTIONS:
        return _elements(node) * math.prod(tensor_shape(input_of(node, index=1))[1:]), None
    if isinstance(module, nn.BatchNorm2d) or (isinstance(module, nn.BatchNorm1d) and len(tensor_shape(node)) == 3):
        return 2 * _elements(input_of(node)) if module.affine else 0, None
    pools = isinstance(module, _POOLINGS) or (node.op == "call_function" and node.target in _POOLING_FUNCTIONS)
    if pools or is_activation(node, graph_module):
        return _elements(input_of(node)), None
    return 0, None


def _elements(node: fx.Node) -> int:
    return math.prod(tensor_shape(node))
