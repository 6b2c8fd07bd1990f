"""A network as a torch.fx graph: how it is captured, and its shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import index
from typing import Any

import torch
from torch import fx, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    UnsupportedFakeTensorException,
    UnsupportedOperatorException,
)

from b2nn_tvm.errors import B2nnError, InputError, UnsupportedError
from b2nn_tvm.mixbin.network.hooks import without_hooks
from b2nn_tvm.mixbin.network.in_place import remove_unused
from b2nn_tvm.mixbin.network.silence import quiet
from b2nn_tvm.mixbin.tracing.any_batch import BATCHES, BatchDecides, for_any_batch
from b2nn_tvm.mixbin.tracing.captured_network import CapturedNetwork
from b2nn_tvm.mixbin.tracing.leaves import is_leaf, is_torch_class
from b2nn_tvm.mixbin.tracing.prepare import copied, initialize, prepared
from b2nn_tvm.mixbin.tracing.record import ForwardFailed, LostTensor, Recording, image_without_values, record
from b2nn_tvm.provenance.user_code import place_of

_BY_VALUES = (DataDependentOutputException, DynamicOutputShapeException)
_SHAPE = "_b2nn_input_shape"


def capture(model: nn.Module, input_shape: Sequence[int] | None = None) -> fx.GraphModule:
    """``model`` as a graph whose leaves are torch's modules, binary convolutions and this project's activations.

    ``model`` is ``prepared``, and the result shares its modules. It runs once in evaluation mode on an image without
    values of ``input_shape``, [C, H, W], [N, C, H, W] or [C, W]; the graph holds for every batch size, unless that
    decides the operations. ``input_shape`` None is that of the last ``capture_shapes`` of this model, or of what this
    model was copied from; where there is none, torch.fx traces the model symbolically. Raises UnsupportedError, naming
    the module and the line, where the values of the image decide or tensors cannot be followed, InputError where the
    forward pass fails.
    """
    shape = remembered_shape(model) if input_shape is None else batched(input_shape)
    if shape is None:
        return _symbolic(model)
    try:
        recording, any_batch = _recorded(model, shape)
    except _Lost as lost:
        try:
            return _symbolic(model)
        except UnsupportedError:
            raise lost.error from lost.error.__cause__
    return _network(model, recording, shape, any_batch=any_batch)


def capture_shapes(model: nn.Module, input_shape: Sequence[int]) -> fx.GraphModule:
    """A captured copy of ``model`` in evaluation mode in which every node knows its shape (``shape_of``).

    ``model`` need not be ``prepared``. ``input_shape`` is [C, H, W], [N, C, H, W] or [C, W]; ``model`` remembers it for
    later captures. Nothing is computed. Raises InputError where the shape does not fit.
    """
    shape = batched(input_shape)
    lazily_made(model, shape)
    plain = prepared(model)
    for each in (model, plain):
        remember_shape(each, shape)
    graph_module = capture(plain.eval())
    if all(shape_of(node) is not None for node in graph_module.graph.nodes if node.op == "placeholder"):
        return graph_module
    try:
        with quiet(), torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True):
            _ShapeRecorder(graph_module).run(torch.empty(shape, dtype=_dtype(plain)))
    except Exception as error:
        raise _refused_shape(model, shape, error, "") from error
    return graph_module


def remembered_shape(model: nn.Module) -> tuple[int, ...] | None:
    """The shape of the last ``capture_shapes`` of ``model``, or of what it is a copy of; None for no such shape."""
    known = model.meta if isinstance(model, CapturedNetwork) else vars(model)
    shape: tuple[int, ...] | None = known.get(_SHAPE)
    return shape


def remember_shape(model: nn.Module, shape: tuple[int, ...]) -> None:
    """Let ``shape``, with the batch, be that of later captures of ``model``."""
    (model.meta if isinstance(model, CapturedNetwork) else vars(model))[_SHAPE] = shape


def run_without_values(model: nn.Module, input_shape: Sequence[int], *, training: bool = False) -> Any:
    """What ``model`` gives for images of ``input_shape`` [N, C, H, W], with tensors that have shapes alone.

    ``model`` stays as it is. Raises what ``capture`` raises, but for what the tracing alone cannot follow.
    """
    shape = batched(input_shape)
    try:
        with quiet(), torch.no_grad():
            return copied(model).train(training)(
                image_without_values(shape, dtype=_dtype(model), device=_device(model))
            )
    except Exception as error:
        failure = ForwardFailed("")
        failure.__cause__ = error
        found = _forward_error(model, shape, failure)
        raise (found.error if isinstance(found, _Lost) else found) from error


def lazily_made(model: nn.Module, shape: tuple[int, ...]) -> None:
    """Give the lazy modules of ``model`` their parameters, in place; raises InputError where the shape does not fit."""
    try:
        initialize(model, shape)
    except B2nnError:
        raise
    except Exception as error:
        raise _refused_shape(model, shape, error, "") from error


def _dtype(model: nn.Module) -> torch.dtype:
    """The dtype of the first parameter, because the model refuses images of another dtype."""
    return next((parameter.dtype for parameter in model.parameters()), torch.float32)


def _device(model: nn.Module) -> torch.device:
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def batched(input_shape: Sequence[int]) -> tuple[int, ...]:
    """[C, H, W] or [N, C, H, W] as (N, C, H, W), and [C, W] as (N, C, W), N being 1 where it is missing.

    Raises InputError for anything else.
    """
    try:
        shape = tuple(index(size) for size in input_shape)
    except TypeError:
        shape = ()
    if len(shape) not in (2, 3, 4) or min(shape) < 1:
        raise InputError(
            "an input shape is [C, H, W] or [N, C, H, W], or [C, W] of a signal, in positive whole numbers, not"
            f" {input_shape!r}"
        )
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


class _Lost(Exception):
    """The network runs, but not all of its tensors can be followed; ``error`` says so to users."""

    def __init__(self, error: UnsupportedError) -> None:
        super().__init__(str(error))
        self.error = error


def _recorded(model: nn.Module, shape: tuple[int, ...]) -> tuple[Recording, bool]:
    """The recording of ``model``, and whether it holds for any batch size."""
    dtype, device = _dtype(model), _device(model)

    def run(batch: int) -> Recording:
        with quiet():
            return record(copied(model).eval(), (batch, *shape[1:]), dtype=dtype, device=device)

    try:
        small, large = map(run, BATCHES)
        for_any_batch(small, large, batch=shape[0])
    except (BatchDecides, ForwardFailed):
        try:
            return run(shape[0]), False
        except ForwardFailed as failure:
            raise _forward_error(model, shape, failure) from failure.__cause__
    return small, True


def _network(model: nn.Module, recording: Recording, shape: tuple[int, ...], *, any_batch: bool) -> CapturedNetwork:
    graph = recording.graph
    remove_unused(graph, model)
    found: dict[str, Any] = {}
    for node in graph.nodes:
        if node.op == "call_module":
            module = model.get_submodule(node.target)
            module = _norm_alone(module) if node.target in recording.norms else module
            found[node.target] = without_hooks(module) if node.target in recording.hooked else module
        elif node.op == "get_attr":
            owner, _, name = node.target.rpartition(".")
            constant = recording.constants.get(node.target)
            found[node.target] = getattr(model.get_submodule(owner), name) if constant is None else constant
    network = CapturedNetwork(found, graph, class_name=type(model).__name__)
    network.training = model.training
    network.meta |= {_SHAPE: shape, "any_batch": any_batch}
    return network


def _norm_alone(module: nn.Module) -> nn.Module:
    """A module of torch's own class that shares all parameters, statistics and submodules with ``module``."""
    kind = next(kind for kind in type(module).__mro__ if is_torch_class(kind))
    alone: nn.Module = object.__new__(kind)
    alone.__dict__ = dict(vars(module))
    return alone


def _forward_error(model: nn.Module, shape: tuple[int, ...], failure: ForwardFailed) -> Exception:
    """What users are told of a forward pass that failed; _Lost where another way of tracing may do."""
    error = failure.__cause__
    if isinstance(error, B2nnError):
        return error
    assert error is not None
    where = _where(failure.module, error)
    if isinstance(error, _BY_VALUES):
        return UnsupportedError(
            f"{type(model).__name__} cannot be traced: {where} decides by the values of the image; use torch.where, or"
            " other operators on whole tensors, in place of if, while, float() and the like"
        )
    if isinstance(error, (LostTensor, UnsupportedFakeTensorException, UnsupportedOperatorException)):
        return _Lost(
            UnsupportedError(
                f"{type(model).__name__} cannot be traced: {where} fails with: {_reason(error)}; write it in torch's"
                " operators"
            )
        )
    return _refused_shape(model, shape, error, failure.module)


def _refused_shape(model: nn.Module, shape: tuple[int, ...], error: BaseException, module: str) -> InputError:
    return InputError(
        f"{type(model).__name__} does not accept an input of shape {shape}: {_where(module, error)} fails with:"
        f" {_reason(error)}"
    )


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split("While executing")[0].split())
    return text if isinstance(error, (RuntimeError, ValueError)) and text else f"{type(error).__name__}: {text}"


def _where(module: str, error: BaseException) -> str:
    place = place_of(error)
    return (f"its module {module!r}" if module else "its forward") + (f" ({place})" if place else "")


def _symbolic(model: nn.Module) -> fx.GraphModule:
    """``model`` as torch.fx traces it, without shapes."""
    tracer = _Tracer()
    try:
        graph = tracer.trace(model)
    except Exception as error:
        raise UnsupportedError(
            f"{type(model).__name__} cannot be traced without the shape of its input: {_where(tracer.failed, error)}"
            f" fails with: {_reason(error)}; trace it first, or give its input_shape"
        ) from error
    for node in graph.nodes:
        node.type = None  # an annotation kept as text (PEP 563) would make the module impossible to pickle
    return fx.GraphModule(model, graph, class_name=type(model).__name__)


class _ShapeRecorder(fx.Interpreter):
    def run_node(self, node: fx.Node) -> Any:
        value = super().run_node(node)
        if isinstance(value, torch.Tensor):
            node.meta["shape"] = tuple(value.shape)
        return value


class _Tracer(fx.Tracer):
    failed = ""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return is_leaf(module)

    def call_module(
        self, module: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        try:
            return super().call_module(module, forward, args, kwargs)
        except Exception:
            self.failed = self.failed or self.path_of_module(module)
            raise
