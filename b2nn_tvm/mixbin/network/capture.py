"""A network as a torch.fx graph: how it is captured, its shapes, and which activation feeds a convolution."""

from __future__ import annotations

import copy
from collections.abc import Callable, Container, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.mixbin.modules.activations import BinReLU, LeakyClip, RPReLU, SignFollows
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.network.fx_nodes import module_of
from b2nn_tvm.mixbin.network.silence import quiet

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

# The activations whose name says that they overwrite their input, and their counterparts that do not.
OUT_OF_PLACE = {torch.relu_: F.relu, F.relu_: F.relu, "relu_": "relu", "clamp_": "clamp", "sigmoid_": "sigmoid"}

# Operators that may stand between an activation and its convolution; some commute with monotone activations.
_COMMUTING_MODULES, _COMMUTING_FUNCTIONS = (nn.MaxPool2d, nn.Identity), {F.max_pool2d, torch.max_pool2d}
_PASSING_MODULES = (*_COMMUTING_MODULES, nn.AvgPool2d, nn.Dropout, nn.Dropout2d)
_PASSING_FUNCTIONS = _COMMUTING_FUNCTIONS | {F.avg_pool2d, F.dropout, F.dropout2d, torch.cat, torch.concat}


# Convolutions and matrix products that are called as functions on weights: they cannot become binary, but they compute.
MATRIX_FUNCTIONS = {F.conv2d, torch.conv2d, F.linear}


def capture(model: nn.Module) -> fx.GraphModule:
    """``model`` as a graph whose leaves are torch's modules, binary convolutions and this project's activations.

    The result shares the modules of ``model``. Raises UnsupportedError, naming the module, where tracing fails.
    """
    tracer = _Tracer()
    try:
        graph = tracer.trace(model)
    except Exception as error:
        where = f"its module {tracer.failed!r}" if tracer.failed else "its forward"
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnsupportedError(
            f"{type(model).__name__} cannot be traced by torch.fx: {where} fails with: {reason}; "
            "write it in torch's operators, without control flow that depends on the values or shapes of tensors"
        ) from error
    for node in graph.nodes:
        node.type = None  # an annotation kept as text (PEP 563) would make the module impossible to pickle
    return fx.GraphModule(model, graph, class_name=type(model).__name__)


def capture_shapes(model: nn.Module, input_shape: Sequence[int]) -> fx.GraphModule:
    """A captured copy of ``model`` in evaluation mode in which every node knows its shape (``shape_of``).

    ``input_shape`` is [C, H, W] or [N, C, H, W]. Nothing is computed. Raises InputError where the shape does not fit.
    """
    shape = batched(input_shape)
    graph_module = capture(copy.deepcopy(model).eval())
    try:
        with quiet(), torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True):
            _ShapeRecorder(graph_module).run(torch.empty(shape, dtype=_dtype(model)))
    except Exception as error:
        reason = " ".join(str(error).split("While executing")[0].split())
        raise InputError(f"{type(model).__name__} does not accept an input of shape {shape}: {reason}") from error
    return graph_module


def _dtype(model: nn.Module) -> torch.dtype:
    """The dtype of the first parameter, because the model refuses images of another dtype."""
    return next((parameter.dtype for parameter in model.parameters()), torch.float32)


def batched(input_shape: Sequence[int]) -> tuple[int, ...]:
    """[C, H, W] or [N, C, H, W] as (N, C, H, W), N being 1 where it is missing; raises InputError for anything else."""
    shape = tuple(int(size) for size in input_shape)
    if len(shape) not in (3, 4) or min(shape) < 1:
        raise InputError(f"an input shape is [C, H, W] or [N, C, H, W] in positive numbers, not {list(input_shape)}")
    return shape if len(shape) == 4 else (1, *shape)


def shape_of(node: fx.Node) -> tuple[int, ...] | None:
    """The shape of a node's tensor after ``capture_shapes``; None for nodes without a tensor (tuples, numbers)."""
    return node.meta.get("shape")


def tensor_shape(node: fx.Node) -> tuple[int, ...]:
    """The shape of a node that gives a tensor; raises TypeError for any other node."""
    shape = shape_of(node)
    if shape is None:
        raise TypeError(f"expected a node that gives a tensor, but {node} does not")
    return shape


def drops_sign(node: fx.Node, graph_module: fx.GraphModule) -> bool:
    """Whether ``node`` is an activation behind which the sign carries no information."""
    module = module_of(node, graph_module)
    if isinstance(module, nn.Hardtanh):  # includes ReLU6
        return module.min_val >= 0
    if node.op in ("call_function", "call_method") and node.target in _CLAMPS:
        low = _lower_bound(node)
        return isinstance(low, (int, float)) and low >= 0
    return _is(node, module, _DROPS_SIGN_MODULES, _DROPS_SIGN_FUNCTIONS)


def is_activation(node: fx.Node, graph_module: fx.GraphModule) -> bool:
    """Whether ``node`` is an elementwise activation, be it one that keeps or one that drops the sign."""
    module = module_of(node, graph_module)
    if isinstance(module, nn.Hardtanh) or (node.op in ("call_function", "call_method") and node.target in _CLAMPS):
        return True
    return drops_sign(node, graph_module) or _is(node, module, _KEEPS_SIGN_MODULES, _KEEPS_SIGN_FUNCTIONS)


def is_passing(node: fx.Node, graph_module: fx.GraphModule) -> bool:
    """Whether a convolution behind ``node`` still reads the activation in front of it (pooling, concatenation)."""
    module = module_of(node, graph_module)
    return not isinstance(module, SignFollows) and _is(node, module, _PASSING_MODULES, _PASSING_FUNCTIONS)


def is_commuting(node: fx.Node, graph_module: fx.GraphModule) -> bool:
    """Whether ``node`` may change places with a non-decreasing activation without changing the result."""
    return _is(node, module_of(node, graph_module), _COMMUTING_MODULES, _COMMUTING_FUNCTIONS)


def activations_before(node: fx.Node, graph_module: fx.GraphModule) -> list[fx.Node]:
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


def is_in_place(node: fx.Node, graph_module: fx.GraphModule) -> bool:
    """Whether the activation ``node`` overwrites its input."""
    if node.op == "call_module":
        return bool(getattr(module_of(node, graph_module), "inplace", False))
    positional = node.target in (F.relu, F.relu6) and len(node.args) > 1 and node.args[1]
    return bool(positional or node.kwargs.get("inplace", False) or node.target in OUT_OF_PLACE)


def _lower_bound(node: fx.Node) -> object:
    if node.target is F.hardtanh:
        return node.kwargs.get("min_val", node.args[1] if len(node.args) > 1 else -1.0)
    return node.kwargs.get("min", node.args[1] if len(node.args) > 1 else None)


def _is(node: fx.Node, module: nn.Module | None, modules: tuple[type, ...], functions: Container[object]) -> bool:
    if module is not None:
        return isinstance(module, modules)
    return node.op in ("call_function", "call_method") and node.target in functions


class _ShapeRecorder(fx.Interpreter):
    def run_node(self, node: fx.Node) -> Any:
        value = super().run_node(node)
        if isinstance(value, torch.Tensor):
            node.meta["shape"] = tuple(value.shape)
        return value


class _Tracer(fx.Tracer):
    failed = ""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        ours = (BinaryConv2d, BinReLU, LeakyClip, RPReLU, SignFollows)
        return isinstance(module, ours) or super().is_leaf_module(module, name)

    def call_module(
        self, module: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        try:
            return super().call_module(module, forward, args, kwargs)
        except Exception:
            self.failed = self.failed or self.path_of_module(module)
            raise
