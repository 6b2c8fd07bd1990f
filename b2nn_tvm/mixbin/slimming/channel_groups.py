"""The channels of a float network that can only be removed together, and their removal (by torch-pruning).

Channels are tied where shortcuts add them, where batch norm or a depthwise convolution hands them on, and where the
next layer reads them: removing one takes it out of all these places, and leaves a smaller dense network.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.modules.quantized_layer import QuantizedLayer
from b2nn_tvm.mixbin.network.capture import batched, capture
from b2nn_tvm.mixbin.network.layers import last_layers
from b2nn_tvm.mixbin.training.reestimate_batchnorm import Norm

if TYPE_CHECKING:
    import torch_pruning

Removed = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class ChannelGroup:
    """The channels that are tied to the output channels of the convolution ``root``.

    ``scales[i]`` is the mean |gamma| of the channels tied to output channel i, over all batch norms on them. The
    channels in ``kept`` must stay, so that no layer loses all its channels: for each layer the channel of the largest
    scale.
    """

    root: str
    scales: tuple[float, ...]
    kept: frozenset[int]


def channel_groups(model: nn.Module, input_shape: Sequence[int]) -> tuple[ChannelGroup, ...]:
    """The groups that may lose channels: batch norm scales all their channels, and these are not the network's output.

    ``input_shape`` is [C, H, W] or [N, C, H, W]. Grouped convolutions, other than depthwise ones, keep their channels.
    Raises InputError for a network with binary layers, UnsupportedError where torch-pruning cannot follow the network.
    """
    graph = _graph(model, input_shape)
    found = []
    for group in graph.tied.get_all_groups(ignored_layers=graph.outputs, root_module_types=[nn.Conv2d]):
        scales = _scales(group)
        if scales is not None and not any(_is_grouped(dependency.target.module) for dependency, _ in group):
            kept = {max(item.root_idxs, key=lambda channel: (scales[channel], channel)) for item in group}
            found.append(ChannelGroup(graph.names[group[0].dep.target.module], scales, frozenset(kept)))
    return tuple(found)


def remove(model: nn.Module, input_shape: Sequence[int], removed: Removed) -> nn.Module:
    """A smaller copy of ``model`` without the output channels ``removed`` of the roots and all channels tied to them.

    Raises what ``channel_groups`` raises.
    """
    graph = _graph(model, input_shape)
    for group in graph.groups(removed):
        group.prune()
    return graph.finished()


def mask(model: nn.Module, input_shape: Sequence[int], removed: Removed) -> nn.Module:
    """A copy of full size in which the parameters that ``remove`` takes out are 0: both copies compute the same."""
    graph = _graph(model, input_shape)
    with torch.no_grad():
        for group in graph.groups(removed):
            for dependency, indices in group:
                _clear(dependency.target.module, list(indices), graph.tied.is_in_channel_pruning_fn(dependency.handler))
    return graph.finished()


@dataclass(frozen=True)
class _Graph:
    """A copy of a model with torch-pruning's dependency graph over it."""

    model: nn.Module
    tied: torch_pruning.DependencyGraph
    names: Mapping[nn.Module, str]
    outputs: list[nn.Module]
    restore: Callable[[], None]

    def groups(self, removed: Removed) -> Iterator[Any]:
        for name, channels in removed.items():
            if channels:
                root = self.model.get_submodule(name)
                pruner = self.tied.get_pruner_of_module(root)
                yield self.tied.get_pruning_group(root, pruner.prune_out_channels, sorted(channels))

    def finished(self) -> nn.Module:
        self.restore()
        return self.model


def _graph(model: nn.Module, input_shape: Sequence[int]) -> _Graph:
    import torch_pruning

    if any(isinstance(module, (BinaryConv2d, QuantizedLayer)) for module in model.modules()):
        raise InputError("channels are removed from float networks; this one has binary or quantized layers")
    result = copy.deepcopy(model)
    outputs = [result.get_submodule(name) for name in last_layers(capture(result, input_shape))]
    modes = {module: module.training for module in result.modules()}
    trainable = {name: parameter.requires_grad for name, parameter in result.named_parameters()}

    def restore() -> None:
        for module, mode in modes.items():
            module.training = mode
        for name, parameter in result.named_parameters():
            parameter.requires_grad_(trainable[name])

    device = next((parameter.device for parameter in result.parameters()), torch.device("cpu"))
    result.eval().requires_grad_(True)  # torch-pruning follows the autograd graph
    try:
        with torch.enable_grad():
            example = torch.zeros(batched(input_shape), device=device)
            tied = torch_pruning.DependencyGraph().build_dependency(result, example, verbose=False)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UnsupportedError(
            f"torch-pruning cannot follow the channels of {type(model).__name__}: {reason}"
        ) from error
    return _Graph(result, tied, {module: name for name, module in result.named_modules()}, outputs, restore)


def _scales(group: torch_pruning.Group) -> tuple[float, ...] | None:
    """The mean |gamma| per channel of the root; None where a channel has no batch norm."""
    count = len(group[0].idxs)
    sums, norms = [0.0] * count, [0] * count
    for item in group:
        module = item.dep.target.module
        if isinstance(module, Norm) and module.affine:
            gammas = module.weight.detach().abs().tolist()
            for index, root in zip(item.idxs, item.root_idxs, strict=True):
                sums[root] += gammas[index]
                norms[root] += 1
    return tuple(total / norm for total, norm in zip(sums, norms)) if all(norms) else None


def _is_grouped(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.groups not in (1, module.in_channels)


def _clear(module: nn.Module | nn.Parameter, indices: list[int], inputs: bool) -> None:
    """Set the parameters of the channels ``indices`` to 0: columns of the layers that read them, rows of all others."""
    if isinstance(module, nn.Parameter):
        module.movedim(_channel_axis(module), 0)[indices] = 0
    elif inputs and isinstance(module, (nn.Conv2d, nn.Linear)) and getattr(module, "groups", 1) == 1:
        module.weight[:, indices] = 0
    else:
        for parameter in module.parameters(recurse=False):
            if parameter.numel() > 1:  # a PReLU with one slope has it for all channels
                parameter[indices] = 0


def _channel_axis(parameter: nn.Parameter) -> int:
    """The last axis of more than one element, which torch-pruning takes for the channels of a bare parameter."""
    return max((axis for axis, size in enumerate(parameter.shape) if size > 1), default=0)
