"""The forward hooks of modules, where a module is replaced by another or by operations in a graph."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

# Where nn.Module keeps the hooks, and by their keys how they are called.
_HOOKS = (
    *("_forward_pre_hooks", "_forward_pre_hooks_with_kwargs"),
    *("_forward_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called"),
)


def copy_hooks(old: nn.Module, new: nn.Module) -> None:
    """Let ``new``, which is put in the place of ``old``, have the forward hooks of ``old`` as well."""
    for kind in _HOOKS:
        vars(new)[kind] = OrderedDict({**vars(new)[kind], **vars(old)[kind]})


def without_hooks(module: nn.Module) -> nn.Module:
    """A module of the same class that shares all parameters, statistics and submodules with ``module``."""
    alone: nn.Module = object.__new__(type(module))
    alone.__dict__ = vars(module) | {kind: OrderedDict() for kind in _HOOKS}
    return alone
