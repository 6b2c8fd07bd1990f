"""The layers of a network: their shapes, which of them may become binary, and why the others may not."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import fx, nn
from torch.nn import functional as F

from b2nn_tvm.costs import eligibility
from b2nn_tvm.costs.eligibility import ONE_CHANNEL, Operation, Role, group_obstacle, reason_against
from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.mixbin.modules import binary_conv, quantized_layer
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d, pair
from b2nn_tvm.mixbin.modules.binary_conv1d import BinaryConv1d
from b2nn_tvm.mixbin.modules.quantized_layer import QuantizedConv1d, QuantizedConv2d, QuantizedLayer, QuantizedLinear
from b2nn_tvm.mixbin.network.activation_nodes import activations_before, is_activation
from b2nn_tvm.mixbin.network.capture import capture_shapes, tensor_shape
from b2nn_tvm.mixbin.network.fx_nodes import input_of, module_of, target_name
from b2nn_tvm.mixbin.network.own_faults import own_faults
from b2nn_tvm.mixbin.network.own_products import name_of_weights, own_products
from b2nn_tvm.mixbin.tracing.own_convolutions import OwnConvolution
from b2nn_tvm.mixbin.tracing.prepare import refuse_exported
from b2nn_tvm.mixbin.tracing.record import Caller
from b2nn_tvm.workload import ConvWorkload

Convolution = nn.Conv1d | nn.Conv2d
Layer = Convolution | nn.Linear | BinaryConv2d | QuantizedLayer

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, BinaryConv2d, QuantizedConv2d)
_LINEARS = (nn.Linear, QuantizedLinear)

_ADDS = {operator.add, operator.iadd, torch.add, "add", "add_"}


@dataclass(frozen=True)
class LayerInfo:
    """One convolution or linear layer.

    ``name`` is the qualified module name, ``kind`` the module's type, ``reason`` says why a layer is not
    ``eligible``, that is, may not be binary (``against`` is about the other precisions), and ``activation`` names the
    module (or function) whose output feeds the layer, "" where there is none. A linear layer's workload is that of a
    1x1 convolution over its rows, and that of a 1-D convolution is over images of one row.
    """

    name: str
    kind: str
    workload: ConvWorkload
    eligible: bool
    reason: str
    activation: str

    def against(self, precision: str) -> str:
        """The reason why the layer may not have this precision, or an empty string."""
        return reason_against(self.reason or ("" if self.eligible else "not eligible"), precision)


@dataclass(frozen=True)
class OtherLayer:
    """An operation with weights that is no convolution or linear module, and so stays float for this ``reason``.

    ``name`` is that of the module, or of the module that calls ``kind`` as a function.
    """

    name: str
    kind: str
    reason: str


@dataclass(frozen=True)
class LayerTable:
    """The layers of one network at one input shape, in the order in which they run."""

    rows: tuple[LayerInfo, ...]
    input_shape: tuple[int, ...]
    others: tuple[OtherLayer, ...] = ()

    @property
    def eligible(self) -> list[str]:
        """Names of the layers that may become binary."""
        return self.eligible_for("binary")

    def eligible_for(self, precision: str) -> list[str]:
        """Names of the layers that may have this precision."""
        return [row.name for row in self.rows if not row.against(precision)]

    def __iter__(self) -> Iterator[LayerInfo]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> LayerInfo:
        for row in self.rows:
            if row.name == name:
                return row
        raise InputError(f"there is no layer {name!r}; the layers are {', '.join(row.name for row in self.rows)}")


@own_faults("tracing the network")
def trace(model: nn.Module, input_shape: Sequence[int]) -> LayerTable:
    """The layers of ``model`` for an input of ``input_shape`` [C, H, W] or [N, C, H, W]; nothing is computed.

    The shape of a signal is [C, W]. As in the MixBin paper, these layers stay float: the first convolution, 1x1
    projections of shortcuts, depthwise convolutions, and the classifier; so do convolutions in groups of few channels.
    A subclass of Conv2d is a layer if what its forward does is a convolution of its input. ``model`` remembers
    ``input_shape`` for ``convert``. Raises what ``capture`` raises.
    """
    refuse_exported(model)
    graph_module = capture_shapes(model, input_shape)
    nodes = layer_nodes(graph_module)
    reasons = ineligible(graph_module)
    rows = []
    for name, node in nodes.items():
        before = activations_before(node, graph_module)
        rows.append(
            LayerInfo(
                name=name,
                kind=type(layer_of(node, graph_module)).__name__,
                workload=_workload(node, graph_module),
                eligible=name not in reasons,
                reason=reasons.get(name, ""),
                activation=", ".join(_label(activation) for activation in before),
            )
        )
    (placeholder, *_) = (node for node in graph_module.graph.nodes if node.op == "placeholder")
    return LayerTable(tuple(rows), tensor_shape(placeholder), _others(graph_module))


def layer_nodes(graph_module: fx.GraphModule) -> dict[str, fx.Node]:
    """The first call of every convolution and linear layer, by qualified name, in the order in which they run."""
    nodes: dict[str, fx.Node] = {}
    for node in graph_module.graph.nodes:
        if _is_layer(node, graph_module):
            nodes.setdefault(node.target, node)
    return nodes


def layer_of(node: fx.Node, graph_module: fx.GraphModule) -> Layer:
    """The module that one of ``layer_nodes`` calls; raises TypeError for any other node."""
    module = module_of(node, graph_module)
    if not isinstance(module, Layer):
        raise TypeError(f"expected a node that calls a convolution or linear layer, not {node}")
    return module


def ineligible(graph_module: fx.GraphModule) -> dict[str, str]:
    """The reason why a layer may not become binary, by qualified name, for every layer that may not."""
    reasons = eligibility.ineligible(_operations(graph_module))
    return {name: reasons[node.name] for name, node in layer_nodes(graph_module).items() if node.name in reasons}


def last_layers(graph_module: fx.GraphModule) -> tuple[str, ...]:
    """The layers that no other module with weights reads from, directly or not: their values are the network's output,
    or are multiplied by weights of its own that are in no module.
    """
    products = {node.name for node in own_products(graph_module, lambda node: _is_layer(node, graph_module))}
    operations = _operations(graph_module)
    last = eligibility.last_operations(
        [replace(each, role=Role.OTHER) if each.name in products else each for each in operations]
    )
    return tuple(name for name, node in layer_nodes(graph_module).items() if node.name in last)


def _operations(graph_module: fx.GraphModule) -> list[Operation]:
    """The graph as the rule of eligibility sees it."""
    calls = Counter(_weights(node, graph_module) for node in graph_module.graph.nodes if _is_layer(node, graph_module))
    products = own_products(graph_module, lambda node: _is_layer(node, graph_module))
    found = []
    for node in graph_module.graph.nodes:
        inputs = tuple(source.name for source in node.all_input_nodes)
        module = module_of(node, graph_module)
        role = Role.WEIGHTED if node in products else _role(node, graph_module)
        kernel, stride, obstacle = (0, 0), (1, 1), ""
        if isinstance(module, _CONVOLUTIONS):
            kernel, stride = pair(module.kernel_size), pair(module.stride)
        if isinstance(module, Layer):
            obstacle = _obstacle(node, module, calls[_weights(node, graph_module)])
        found.append(Operation(node.name, inputs, role, kernel, stride, obstacle))
    return found


def _weights(node: fx.Node, graph_module: fx.GraphModule) -> int:
    """What tells the weights of a layer from others: modules may share them, by conv2.weight = conv1.weight."""
    module = module_of(node, graph_module)
    return id(getattr(module, "weight", module))


def _role(node: fx.Node, graph_module: fx.GraphModule) -> Role:
    module = module_of(node, graph_module)
    if isinstance(module, _CONVOLUTIONS):
        return Role.CONVOLUTION
    if isinstance(module, _LINEARS):
        return Role.LINEAR
    if isinstance(module, nn.modules.conv._ConvNd):
        return Role.WEIGHTED
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) or node.target is F.batch_norm:
        return Role.BATCH_NORM
    if node.target in _ADDS:
        return Role.ADDITION
    return Role.ACTIVATION if is_activation(node, graph_module) else Role.OTHER


def _obstacle(node: fx.Node, module: Layer, calls: int) -> str:
    if isinstance(module, BinaryConv2d):
        return "already binary" if module.input_binary else "its weights are already binary"
    if isinstance(module, QuantizedLayer):
        return f"already {module.precision}"
    if calls > 1:
        return "called more than once: its weights are shared"
    if isinstance(module, nn.Conv1d) and module.in_channels == 1 and module.padding_mode == "zeros":
        return ONE_CHANNEL  # such as that of efficient channel attention
    return unsupported(node, module) if isinstance(module, Convolution) else ""


def unsupported(node: fx.Node, module: Convolution) -> str:
    """The reason why the convolution ``module``, called by ``node``, has no binary form, or an empty string."""
    form = own_form(node)
    return binary_conv.unsupported(module) if form is None else group_obstacle(form.groups, module.in_channels)


def unquantizable(node: fx.Node, module: Convolution) -> str:
    """The reason why the convolution ``module``, called by ``node``, has no quantized form, or an empty string."""
    return quantized_layer.unsupported(module) if own_form(node) is None else ""


def own_form(node: fx.Node) -> OwnConvolution | None:
    """What the module that ``node`` calls computes, where it is a subclass of Conv2d with a forward of its own."""
    form: OwnConvolution | None = node.meta.get("convolution")
    return form


def _others(graph_module: fx.GraphModule) -> tuple[OtherLayer, ...]:
    found, products = [], own_products(graph_module, lambda node: _is_layer(node, graph_module))
    for node in graph_module.graph.nodes:
        module, caller = module_of(node, graph_module), node.meta.get("caller")
        if isinstance(module, nn.modules.conv._ConvNd) and not isinstance(module, Convolution):
            kind = type(module).__name__
            found.append(OtherLayer(target_name(node), kind, f"{kind}: only 1-D and 2-D convolutions become binary"))
        elif isinstance(caller, Caller) and node in products and node.target is not F.linear:
            reason = f"called as a function in {caller.kind}.forward: only modules that are convolutions become binary"
            kind = node.target if isinstance(node.target, str) else node.target.__name__
            found.append(OtherLayer(caller.name or name_of_weights(node) or node.name, kind, reason))
    return tuple(found)


def _is_layer(node: fx.Node, graph_module: fx.GraphModule) -> bool:
    return isinstance(module_of(node, graph_module), Layer)


def _label(activation: fx.Node) -> str:
    return target_name(activation) if activation.op == "call_module" else activation.name


def _workload(node: fx.Node, graph_module: fx.GraphModule) -> ConvWorkload:
    module = layer_of(node, graph_module)
    shape = tensor_shape(input_of(node))
    if isinstance(module, nn.Linear | QuantizedLinear):
        return ConvWorkload(shape[0], module.in_features, math.prod(shape[1:-1]), 1, module.out_features, (1, 1))
    if not isinstance(module, Convolution | BinaryConv2d | QuantizedConv2d):
        raise TypeError(f"expected a convolution, not {module}")
    one_row = isinstance(module, nn.Conv1d | BinaryConv1d | QuantizedConv1d)
    if len(shape) != (3 if one_row else 4):
        expected = "[N, C, W]" if one_row else "[N, C, H, W]"
        raise UnsupportedError(f"the input of convolution {node.target!r} has shape {shape}; expected {expected}")
    if one_row:
        shape = (*shape[:2], 1, shape[2])
    batch, in_channels, in_height, in_width = shape
    if form := own_form(node):
        size, padding, stride, dilation, groups = (
            *(pair(form.weight.shape[2:]), form.padding, form.stride, form.dilation, form.groups),
        )
        return ConvWorkload(
            batch, in_channels, in_height, in_width, len(form.weight), size, stride, padding, dilation, groups
        )
    return ConvWorkload(
        batch,
        in_channels,
        in_height,
        in_width,
        out_channels=module.out_channels,
        kernel=pair(module.kernel_size),
        stride=pair(module.stride),
        padding=binary_conv.explicit_padding(module) if isinstance(module, Convolution) else module.padding,
        dilation=pair(module.dilation),
        groups=module.groups,
    )
