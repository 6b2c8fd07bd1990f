"""The calls of a straight line of kernels, as they are read from Relax and before any tensor has a place."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TypeAlias

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.kernel_attrs import Role
from b2nn_tvm.provenance.kernel_layers import KernelLayer

Tensor: TypeAlias = (
    relax.Var | tvm.ir.GenericConst
)  # a tensor in memory of its own; another view of it is the same Tensor


@dataclass(frozen=True)
class KernelCall:
    """One call of ``function``: ``arguments`` are what it reads, then what it writes; ``outputs`` are those of them
    that it writes first.

    ``has_weights``: the weights of ``layer`` are a constant that it reads. Packed weights are read by the call that
    expands them. ``border`` (top, left, bottom, right) is that of its last argument, where it leaves zeros alone.
    """

    function: str
    role: Role | None
    operations: tuple[str, ...]
    border: tuple[int, ...] | None
    arguments: tuple[Tensor, ...]
    outputs: tuple[relax.Var, ...]
    layer: KernelLayer | None
    has_weights: bool

    @property
    def result(self) -> Tensor:
        """The last argument."""
        return self.arguments[-1]

    @property
    def word(self) -> str:
        """The name of the function, for people: without what TVM puts around it."""
        return self.function.removeprefix("fused_").rstrip("0123456789").rstrip("_").removesuffix("_pad")


@dataclass(frozen=True)
class StraightLine:
    """A network as kernel calls in order.

    ``results`` are the outputs in the shapes that the caller sees, ``result_tensors`` what each of them is in memory;
    ``allocated`` are all tensors that kernels write, in order.
    """

    parameters: tuple[relax.Var, ...]
    calls: tuple[KernelCall, ...]
    allocated: tuple[relax.Var, ...]
    results: tuple[relax.Expr, ...]
    result_tensors: tuple[Tensor, ...]


def size_bytes(var: relax.Var) -> int:
    """The bytes of a dense tensor."""
    return prod(int(extent) for extent in var.ty.shape) * np.dtype(str(var.ty.dtype)).itemsize


def is_bits(var: relax.Var) -> bool:
    """Whether a tensor is of a type that packed signs have."""
    return str(var.ty.dtype) in ("uint8", "uint32")
