"""Forward hooks go with what takes a module's place."""

from __future__ import annotations

import torch
from torch import nn

from b2nn_tvm.mixbin.network.hooks import copy_hooks, without_hooks


def hooked() -> nn.Linear:
    module = nn.Linear(2, 2)
    module.register_forward_pre_hook(lambda module, args, kwargs: ((args[0] + 1,), kwargs), with_kwargs=True)
    module.register_forward_hook(lambda module, args, result: result * 2)
    module.register_forward_hook(lambda module, args, kwargs, result: result + args[0], with_kwargs=True)
    return module


def test_hooks_are_copied_with_how_they_are_called() -> None:
    old, new, x = hooked(), nn.Linear(2, 2), torch.randn(3, 2)
    expected = new(x + 1) * 2 + x + 1
    copy_hooks(old, new)
    torch.testing.assert_close(new(x), expected)
    assert len(old._forward_hooks) == 2


def test_without_hooks_all_else_is_shared() -> None:
    module, x = hooked(), torch.randn(3, 2)
    alone = without_hooks(module)
    assert type(alone) is nn.Linear and alone.weight is module.weight
    torch.testing.assert_close(alone(x), nn.functional.linear(x, module.weight, module.bias))
    assert len(module._forward_hooks) == 2
