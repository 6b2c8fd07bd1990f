"""Which modules are one node of a captured graph, and which ones are looked into."""

from __future__ import annotations

from torch import nn

from b2nn_tvm.mixbin.modules.activations import BinReLU, LeakyClip, RPReLU, SignFollows
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.modules.quantized_layer import QuantizedLayer

_OURS = (BinaryConv2d, BinReLU, LeakyClip, QuantizedLayer, RPReLU, SignFollows)
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_BEHAVIOUR = ("forward", "_conv_forward", "__call__", "_check_input_dim")


def is_leaf(module: nn.Module) -> bool:
    """Whether ``module`` is torch's own or ours, or of a class that inherits from torch's and computes the same.

    ``class Conv3x3(nn.Conv2d)`` that only sets defaults is a leaf. A class with a ``forward`` of its own is not.
    """
    if isinstance(module, _OURS):
        return True
    if isinstance(module, _CONTAINERS):
        return False
    for kind in type(module).__mro__:
        if is_torch_class(kind):
            return True
        if any(name in vars(kind) for name in _BEHAVIOUR):
            return False
    return False


def is_torch_class(kind: type) -> bool:
    """Whether ``kind`` is one of torch's own classes of modules, other than ``nn.Module`` itself."""
    return kind is not nn.Module and kind.__module__.startswith(("torch.nn.", "torch.ao.nn."))
