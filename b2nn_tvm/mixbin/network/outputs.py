"""The tensors that a network gives, by name, and the choice of one where there are several.

(logits, aux)                  are   "0", "1"
{"out": logits, "aux": aux}    are   "out", "aux"      (dataclasses and named tuples likewise)
{"out": [small, large]}        are   "out.0", "out.1"
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.network.capture import capture, run_without_values
from b2nn_tvm.mixbin.network.fx_nodes import module_of


class TakeOutput:
    """A forward hook by which a network gives the tensor ``name`` alone, or its first one where that is not there.

    Hooks are copied and pickled with their network, and no layer changes its name, as in a module around the network.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        found = named_tensors(output)
        return found.get(self.name, next(iter(found.values()), output))


def take_output(model: nn.Module, name: str) -> None:
    """Let ``model`` give its tensor ``name`` alone, in place."""
    model.register_forward_hook(TakeOutput(name))


def output_shapes(
    model: nn.Module, input_shape: Sequence[int], *, training: bool = False
) -> dict[str, tuple[int, ...]]:
    """The shapes of the tensors that ``model`` gives for images of ``input_shape`` [N, C, H, W], by name.

    A network that gives a tensor has one output, called "". Raises what ``run_without_values`` raises, and InputError
    where there is no tensor.
    """
    shapes = {
        name: tuple(tensor.shape)
        for name, tensor in named_tensors(run_without_values(model, input_shape, training=training)).items()
    }
    if not shapes:
        raise InputError(f"{type(model).__name__} gives no tensor{' while it is trained' if training else ''}")
    return shapes


def ends_in_softmax(model: nn.Module, input_shape: Sequence[int]) -> bool:
    """Whether the one tensor that ``model`` gives comes from a softmax; raises what ``capture`` raises."""
    graph_module = capture(model, input_shape)
    (last,) = (node for node in graph_module.graph.nodes if node.op == "output")
    node = last.args[0]
    if not isinstance(node, fx.Node):
        return False
    if node.op == "call_module":
        return isinstance(module_of(node, graph_module), nn.Softmax)
    return node.target in (F.softmax, torch.softmax, "softmax")


def named_tensors(output: Any) -> dict[str, torch.Tensor]:
    """The tensors in ``output`` by name, in order; a tensor itself is called ""."""
    return dict(_named("", output))


def _named(name: str, value: Any) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield name, value
        return
    for key, entry in _entries(value).items():
        yield from _named(f"{name}.{key}" if name else str(key), entry)


def _entries(value: Any) -> Mapping[Any, Any]:
    if isinstance(value, Mapping):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    return dict(enumerate(value)) if isinstance(value, tuple | list) else {}
