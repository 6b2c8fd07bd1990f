"""The functions that torch reports, as nodes of torch.fx: x + 1 is the method add, x[0] is operator.getitem."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch.nn import functional as F

# Convolutions and matrix products that are called as functions on weights: they cannot become binary, but they compute.
MATRIX_FUNCTIONS = {F.conv1d, torch.conv1d, F.conv2d, torch.conv2d, F.linear}
# Those that multiply by weights only where one operand is some. Methods of tensors go by their names.
PRODUCTS = {
    *(operator.matmul, torch.matmul, torch.mm, torch.bmm, torch.mv, torch.addmm, torch.baddbmm, torch.addmv),
    *(torch.einsum, torch.tensordot, torch.inner, torch.cdist, torch.linalg.multi_dot, F.bilinear),
    *(F.conv3d, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d),
    *("matmul", "__rmatmul__", "mm", "bmm", "mv", "addmm", "baddbmm", "addmv", "inner"),
}


def operation(function: Any, args: tuple[Any, ...]) -> tuple[str, Any, tuple[Any, ...]]:
    """The kind, target and arguments of the node for a call of ``function``, as torch.fx itself has them."""
    name = getattr(function, "__name__", "")
    descriptor: Any = getattr(function, "__self__", None)
    if name == "__get__" and hasattr(descriptor, "__name__"):
        return "call_function", getattr, (args[0], descriptor.__name__)
    if name == "__setitem__":
        return "call_function", set_item, args
    module = getattr(function, "__module__", None)
    if "<locals>" in getattr(function, "__qualname__", "") and module == F.__name__:
        # One of the poolings that torch makes from two functions; those have names by which they can be pickled.
        return "call_function", getattr(F, f"_{name}"), args
    if getattr(torch.Tensor, name, None) is not function and (
        module != "torch._tensor" or not hasattr(torch.Tensor, name)
    ):
        return "call_function", function, args
    if name.startswith("__") and hasattr(operator, name):
        return "call_function", getattr(operator, name), args
    return "call_method", name, args


def set_item(tensor: torch.Tensor, index: Any, value: Any) -> torch.Tensor:
    """``tensor[index] = value``, and the tensor."""
    tensor[index] = value
    return tensor
