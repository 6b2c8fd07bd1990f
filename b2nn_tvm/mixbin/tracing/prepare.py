"""A network as a user has it becomes one that can be copied, traced and converted.

DataParallel(net), torch.compile(net)     becomes   net
weight = g * v / |v| (weight_norm)        becomes   weight
weight = weight_orig * mask (prune)       becomes   weight
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import fx, nn
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm
from torch.optim.swa_utils import AveragedModel

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.mixbin.tracing.torch_quantization import refuse_quantizers, without_observers

_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)


def prepared(model: nn.Module) -> nn.Module:
    """A copy of ``model`` without wrappers, whose weights are plain parameters.

    DataParallel, DistributedDataParallel, AveragedModel and torch.compile are taken off, here and in submodules, so
    that names have no ``module.`` or ``_orig_mod.`` in them. Parametrizations, weight norm, spectral norm and pruning
    masks are folded into the weights, and observers are taken off. The copy computes what ``model`` computes in
    evaluation mode. Raises UnsupportedError for scripted and quantized modules, InputError where something in the
    model cannot be copied.
    """
    check_module(model)
    for name, part in model.named_modules():
        _refuse_scripted(part, name)
    refuse_quantizers(model)
    result = copied(_unwrapped(model))
    for module in result.modules():  # which goes into what replaces a wrapper
        for name, child in module._modules.items():
            module._modules[name] = None if child is None else _unwrapped(child)
    without_observers(result)
    modes = {module: module.training for module in result.modules()}
    result.eval()  # spectral norm updates its estimate in training mode
    for module in list(result.modules()):
        _fold(module)
    for module, mode in modes.items():
        module.training = mode
    return result


def copied(model: nn.Module) -> nn.Module:
    """A deep copy of ``model``, in which tensors that the forward pass computed and left in attributes are constants.

    copy.deepcopy alone refuses such tensors (https://github.com/pytorch/pytorch/issues/28594). Raises InputError where
    something else cannot be copied.
    """
    computed = (
        value
        for module in model.modules()
        for value in [*vars(module).values(), *module._buffers.values()]
        if isinstance(value, torch.Tensor) and value.grad_fn is not None
    )
    try:
        return copy.deepcopy(model, {id(value): value.detach().clone() for value in computed})
    except (TypeError, RuntimeError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{type(model).__name__} cannot be copied: {reason}; keep such objects outside of the network"
        ) from error


def initialize(model: nn.Module, shape: Sequence[int]) -> None:
    """Give lazy modules their parameters, in place, by one forward pass of zeros of ``shape``, as torch does."""
    check_module(model)
    if any(isinstance(module, nn.modules.lazy.LazyModuleMixin) for module in model.modules()):
        modes = {module: module.training for module in model.modules()}
        with torch.no_grad():
            model.eval()(torch.zeros(tuple(shape)))
        for module, mode in modes.items():
            module.training = mode


def check_module(model: object) -> None:
    """Raise InputError where ``model`` is no network that can be called, UnsupportedError where torch.jit made it."""
    if isinstance(model, nn.Module):
        _refuse_scripted(model, "")  # before its modules are looked at, which a traced one does not have as others do
        if "_modules" not in vars(model):
            raise InputError(f"{type(model).__name__}.__init__ does not call super().__init__()")
        return
    if isinstance(model, type):
        raise InputError(
            f"expected a network, but got the class {model.__name__}; make one, such as {model.__name__}()"
        )
    hint = "; load a state_dict into a network first" if isinstance(model, dict) else ""
    raise InputError(f"expected a network, a torch.nn.Module, but got {type(model).__name__}{hint}")


def _refuse_scripted(part: nn.Module, name: str) -> None:
    """Raise UnsupportedError where ``part`` of a network, called ``name``, is compiled; "" is the network itself."""
    if isinstance(part, torch.jit.ScriptModule):
        what = f"its module {name!r}, a {type(part).__name__}," if name else f"{type(part).__name__}: it"
        raise UnsupportedError(
            f"{what} is compiled by torch.jit, so its layers cannot be replaced; give the network as it was before"
            " torch.jit.script or torch.jit.trace"
        )


def refuse_exported(model: nn.Module) -> None:
    """Raise UnsupportedError for the module of a program of torch.export, which has no layers to replace."""
    if isinstance(model, fx.GraphModule) and any(
        isinstance(node.target, torch._ops.OpOverload) for node in model.graph.nodes
    ):
        raise UnsupportedError(
            f"{type(model).__name__} is a program of torch.export, in which there are operators and no layers that"
            " could be replaced; give the network as it was before, with its weights:"
            " net.load_state_dict(program.state_dict)"
        )


def _unwrapped(module: nn.Module) -> nn.Module:
    while True:
        inner = module._modules.get("_orig_mod")  # of torch._dynamo's OptimizedModule, which takes long to import
        if isinstance(inner, nn.Module) and type(module).__name__ == "OptimizedModule":
            module = inner
        elif isinstance(module, _WRAPPERS):
            module = module.module
        else:
            return module


def _fold(module: nn.Module) -> None:
    kind = type(module)
    if parametrize.is_parametrized(module):
        # A copy shares the class that torch made for the original, and removing would take the property out of it.
        module.__class__ = type(kind.__name__, kind.__bases__, dict(vars(kind)))
    for name in list(getattr(module, "parametrizations", ())):
        parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    for hook in list(module._forward_pre_hooks.values()):
        if isinstance(hook, WeightNorm):
            remove_weight_norm(module, hook.name)
        elif isinstance(hook, SpectralNorm):
            remove_spectral_norm(module, hook.name)
        elif isinstance(hook, prune.BasePruningMethod):
            prune.remove(module, hook._tensor_name)  # type: ignore[no-untyped-call]
