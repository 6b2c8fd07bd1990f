"""A network runs once on an image without values, and each operation that it calls becomes a node of a torch.fx graph.

The forward pass sees a real tensor of a known shape (torch's FakeTensor, which computes shapes only). So all of Python
works in it: branches and asserts on shapes, ``int(x.shape[0])``, ``x.ndim``, ``isinstance``, flags, optional and any
number of arguments, chunks that are unpacked, dicts and dataclasses. Only decisions by the values of the image are
errors. What does not depend on the image is computed, because parameters keep their values.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import partial
from itertools import islice
from types import EllipsisType, NoneType
from typing import Any

import numpy as np
import torch
from torch import fx, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.mixbin.tracing.leaves import is_leaf
from b2nn_tvm.mixbin.tracing.operations import MATRIX_FUNCTIONS, PRODUCTS, operation, set_item
from b2nn_tvm.mixbin.tracing.own_convolutions import own_convolution
from b2nn_tvm.mixbin.tracing.own_gradients import OwnGradient, checkpointed, reporting

Norm = nn.modules.batchnorm._BatchNorm
_PLAIN = (*fx.node.base_types, NoneType, EllipsisType, Enum, range, type)


@dataclasses.dataclass(frozen=True)
class Caller:
    """The module in whose forward a function is called: its name, "" for the network itself, and its class."""

    name: str
    kind: str


class LostTensor(Exception):
    """A tensor came from where it cannot be followed, such as a scripted function."""


class ForwardFailed(Exception):
    """A forward pass raised the exception that is the ``__cause__``; ``module`` is the innermost one's name, or ""."""

    def __init__(self, module: str) -> None:
        super().__init__(module)
        self.module = module


@dataclasses.dataclass(frozen=True)
class Recording:
    """``graph`` names the modules and parameters of the network; ``constants`` are tensors that it has under no name.

    Every node that gives a tensor has its ``meta["shape"]``. ``norms`` names the subclasses of torch's batch norms
    whose nodes stand for the batch norm alone, without what they add to it. ``hooked`` names the modules whose forward
    hooks are nodes of their own.
    """

    graph: fx.Graph
    constants: dict[str, torch.Tensor]
    norms: frozenset[str]
    hooked: frozenset[str] = frozenset()


def record(model: nn.Module, shape: Sequence[int], *, dtype: torch.dtype, device: torch.device) -> Recording:
    """The operations of one forward pass of ``model`` on an image of ``shape``.

    ``model`` is a copy that nobody else uses, in evaluation mode: its modules may keep tensors without values. Raises
    ForwardFailed.
    """
    recorder = _Recorder(model)
    try:
        return recorder.run(image_without_values(shape, dtype=dtype, device=device))
    except Exception as error:
        raise ForwardFailed(recorder.failed) from error


def image_without_values(shape: Sequence[int], *, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """A tensor that has a shape, a type and a device, and passes them on, but no values."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        return torch.empty(tuple(shape), dtype=dtype, device=device)


class _Recorder(TorchFunctionMode):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._model = model
        self._graph = fx.Graph()
        self._nodes: dict[int, fx.Node] = {}  # by the id of the tensor
        self._tensors: dict[fx.Node, list[torch.Tensor]] = {}  # all of them are kept, so that no id is used twice
        self._names = _tensor_names(model)
        self._paths = {module: name for name, module in model.named_modules()}
        self._constants: dict[str, torch.Tensor] = {}
        self._norms: set[str] = set()
        self._hooked: set[str] = set()
        self._paused = False
        self._running: list[nn.Module] = []
        self.failed = ""

    def run(self, image: torch.Tensor) -> Recording:
        self._name(image, self._graph.placeholder("input"))
        for name, module in self._model.named_modules():
            if name:
                # Torch calls this in place of the module's own _call_impl; it is what nn.Module.compile sets.
                module._compiled_call_impl = partial(self._call, name, module)
        self._running.append(self._model)
        with torch.no_grad(), reporting(self._apply), self:
            result = self._model(image)
        if isinstance(result, Iterator):
            raise UnsupportedError(
                f"{type(self._model).__name__} gives a {type(result).__name__}; return tensors, alone or in a tuple, "
                "list or dict"
            )
        output = self._graph.output(self._argument(result))
        if isinstance(result, torch.Tensor):
            output.meta["shape"] = tuple(result.shape)
        return Recording(self._graph, self._constants, frozenset(self._norms), frozenset(self._hooked))

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._paused:
            return function(*args, **kwargs)
        name = getattr(function, "__name__", "")
        if name == "__iter__":
            return iter(self.__torch_function__(torch.Tensor.unbind, types, (args[0], 0)))
        if norm := self._norm_of(function, args, kwargs):
            return self._record("call_module", norm, args[:1], {}, lambda: _normalized(args[0], self._running[-1]))
        op, target, arguments = operation(function, args)
        return self._record(op, target, arguments, kwargs, lambda: function(*args, **kwargs))

    def _call(self, name: str, module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        """In place of a call of ``module``."""
        run: Callable[..., Any] = module._call_impl
        if self._paused:
            return run(*args, **kwargs)
        before = len(self._graph.nodes)
        self._running.append(module)
        try:
            if is_leaf(module) and (module._forward_hooks or module._forward_pre_hooks):
                return self._hook(name, module, args, kwargs)
            if is_leaf(module):
                return self._leaf(name, module, args, kwargs)
            result = run(*args, **kwargs)
        except Exception:
            self.failed = self.failed or name
            raise
        finally:
            self._running.pop()
        if isinstance(module, nn.Conv2d) and isinstance(result, torch.Tensor) and len(args) == 1 and not kwargs:
            with self._pause():
                self._unite(name, module, args[0], result, before)
        return result

    def _leaf(self, name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with self._pause():
            if type(module).forward is Norm.forward and not kwargs:
                return self._record("call_module", name, args, {}, lambda: _normalized(args[0], module))
            return self._record("call_module", name, args, kwargs, lambda: module.forward(*args, **kwargs))

    def _hook(self, name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A leaf and what its hooks do, as nn.Module calls them: the module may be replaced, and they stay."""
        self._hooked.add(name)
        for key, before in module._forward_pre_hooks.items():
            if key in module._forward_pre_hooks_with_kwargs:
                args, kwargs = before(module, args, kwargs) or (args, kwargs)
            elif (changed := before(module, args)) is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        result = self._leaf(name, module, args, kwargs)
        for key, behind in module._forward_hooks.items():
            known = (args, kwargs) if key in module._forward_hooks_with_kwargs else (args,)
            if (changed := behind(module, *known, result)) is not None:
                result = changed
        return result

    def _apply(
        self, function: OwnGradient, args: tuple[Any, ...], kwargs: dict[str, Any], run: Callable[[], Any]
    ) -> Any:
        """In place of ``torch.autograd.Function.apply``."""
        if self._paused:
            return run()
        if inside := checkpointed(function, args):
            return inside()
        with self._pause():
            return self._record("call_function", function, args, kwargs, run)

    def _unite(self, name: str, module: nn.Conv2d, image: Any, result: torch.Tensor, before: int) -> None:
        """One node in place of those after ``before``, if together they are a convolution."""
        nodes = list(islice(reversed(self._graph.nodes), len(self._graph.nodes) - before))
        source, last = self._nodes.get(id(image)), self._nodes.get(id(result))
        read = {*nodes, *(each for node in nodes for each in node.all_input_nodes)}
        values = {node: tensors[-1] for node in read if (tensors := self._tensors_of(node))}
        form = None if source is None or last is None else own_convolution(module, nodes, source, last, values)
        if form is None or source is None:
            return
        for node in nodes:  # the last one comes first
            for tensor in self._tensors_of(node):
                self._nodes.pop(id(tensor), None)
            self._graph.erase_node(node)
        node = self._graph.call_module(name, (source,))
        node.meta["convolution"] = form
        self._name(result, node)

    def _record(
        self,
        op: str,
        target: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        run: Callable[[], Any],
    ) -> Any:
        inputs = [each for each in _leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
        versions = [_version(each) for each in inputs]
        result = run()
        changed = [each for each, version in zip(inputs, versions, strict=True) if _version(each) != version]
        if not changed and not any(isinstance(each, torch.Tensor) for each in _leaves(result)):
            return result
        arguments = self._argument(args), self._argument(kwargs)
        node = self._graph.create_node(op, target, *arguments)
        if target in MATRIX_FUNCTIONS or target in PRODUCTS:
            module = self._running[-1]
            node.meta["caller"] = Caller(self._paths.get(module, ""), type(module).__name__)
        if target is set_item:
            self._name(args[0], node)
        return self._follow(result, node, inputs, changed)

    def _follow(self, result: Any, node: fx.Node, inputs: list[torch.Tensor], changed: list[torch.Tensor]) -> Any:
        """``result`` with the tensors in it known as those of ``node``."""
        if isinstance(result, torch.Tensor):
            if any(result is each for each in inputs) and not any(result is each for each in changed):
                # The operation has nothing to do now, as dropout has not, but its input is another node.
                result = result.view(result.shape)
            self._name(result, node)
            return result
        if isinstance(result, tuple | list):
            items = [self._follow_item(each, index, node, inputs, changed) for index, each in enumerate(result)]
            return result if all(map(operator.is_, items, result)) else _like(result, items)
        if isinstance(result, dict):
            return {key: self._follow_item(each, key, node, inputs, changed) for key, each in result.items()}
        return result

    def _follow_item(self, item: Any, key: Any, node: fx.Node, *tensors: list[torch.Tensor]) -> Any:
        if not any(isinstance(each, torch.Tensor) for each in _leaves(item)):
            return item
        return self._follow(item, self._graph.call_function(operator.getitem, (node, key)), *tensors)

    def _argument(self, value: Any) -> Any:
        """``value`` as the argument of a node."""
        if isinstance(value, torch.Tensor):
            return self._node(value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            entries = {each.name: self._argument(getattr(value, each.name)) for each in dataclasses.fields(value)}
            return self._graph.call_function(type(value), (), entries)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return self._graph.call_function(type(value), tuple(map(self._argument, value)))
        if isinstance(value, tuple):
            return tuple(map(self._argument, value))
        if isinstance(value, list):
            return list(map(self._argument, value))
        if isinstance(value, dict):
            return {key: self._argument(each) for key, each in value.items()}
        if isinstance(value, slice):
            return slice(*map(self._argument, (value.start, value.stop, value.step)))
        if isinstance(value, np.generic):
            return value.item()
        if not isinstance(value, _PLAIN):  # which no graph can write down
            raise UnsupportedError(
                f"{type(self._model).__name__} returns an object of the class {type(value).__name__}, or gives one to"
                " an operator; use tensors, numbers and words, alone or in tuples, lists and dicts"
            )
        return value

    def _node(self, tensor: torch.Tensor) -> fx.Node:
        if (node := self._nodes.get(id(tensor))) is not None:
            return node
        if isinstance(tensor, FakeTensor):
            raise LostTensor("a tensor comes from a function that torch does not report, such as a scripted one")
        name = self._names.get(id(tensor))
        if name is None:
            name = f"_constant{len(self._constants)}"
            self._constants[name] = tensor.detach()
        node = self._graph.get_attr(name)
        self._name(tensor, node)
        return node

    def _name(self, tensor: torch.Tensor, node: fx.Node) -> None:
        node.meta["shape"] = tuple(tensor.shape)
        self._nodes[id(tensor)] = node
        self._tensors.setdefault(node, []).append(tensor)

    def _tensors_of(self, node: fx.Node) -> list[torch.Tensor]:
        """The tensors that are known as those of ``node``, and of no later node that has changed them."""
        return [tensor for tensor in self._tensors.get(node, ()) if self._nodes.get(id(tensor)) is node]

    def _norm_of(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The name of the batch norm of which this is the call, as in a subclass that adds an activation; or ""."""
        module = self._running[-1]
        if function is not F.batch_norm or not isinstance(module, Norm) or module.running_mean is None:
            return ""
        values = dict(zip(("input", "running_mean", "running_var", "weight", "bias"), args)) | kwargs
        own = all(values.get(name) is getattr(module, name) for name in ("running_mean", "running_var"))
        plain = all(values.get(name) is getattr(module, name) for name in ("weight", "bias"))
        epsilon = kwargs.get("eps", args[7] if len(args) > 7 else 1e-5)
        if not (own and plain and args and epsilon == module.eps):
            return ""
        name: str = self._paths.get(module, "")
        self._norms.add(name)
        return name

    @contextmanager
    def _pause(self) -> Iterator[None]:
        self._paused = True
        try:
            yield
        finally:
            self._paused = False


def _normalized(image: torch.Tensor, norm: nn.Module) -> torch.Tensor:
    """The result of ``norm`` without values, for which torch itself takes many times as long."""
    assert isinstance(norm, Norm)
    norm._check_input_dim(image)  # type: ignore[no-untyped-call]
    if image.shape[1] != norm.num_features:
        raise ValueError(f"a batch norm of {norm.num_features} channels got {image.shape[1]} channels")
    return torch.empty_like(image)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple | list):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)
    else:
        yield value


def _like(sequence: Any, items: list[Any]) -> Any:
    return type(sequence)(*items) if hasattr(sequence, "_fields") else type(sequence)(items)


def _version(tensor: torch.Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


def _tensor_names(model: nn.Module) -> dict[int, str]:
    """The names of the tensors of ``model``, by id: parameters, buffers, and tensors in attributes of modules."""
    found: dict[int, str] = {}
    for prefix, module in model.named_modules():
        for values in (module._parameters, module._buffers, vars(module)):
            for name, value in values.items():
                if isinstance(value, torch.Tensor):
                    found.setdefault(id(value), f"{prefix}.{name}" if prefix else name)
    return found
