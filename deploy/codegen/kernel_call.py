"""The kernel calls of a network in one straight line, as they are read from Relax, before any tensor has a place."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TypeAlias

import numpy as np
import tvm
from tvm import relax

from b2nn_tvm.kernel_attrs import Role
from b2nn_tvm.provenance.kernel_layers import KernelLayer

# A tensor in memory of its own; another view of this memory is the same Tensor.
Tensor: TypeAlias = relax.Var | tvm.ir.GenericConst


@dataclass(frozen=True)
class KernelCall:
    """One call of ``function``: ``arguments`` are the tensors that it reads, then the tensors that it writes.

    ``outputs`` are the arguments that no call before has written. ``has_weights`` says that the call reads the weights
    of ``layer`` as a constant; where packed weights are expanded first, the call that expands them reads the constant.
    ``border`` (top, left, bottom, right) is the border of the last argument whose zeros the call leaves alone.
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
        """The last argument, which the call writes."""
        return self.arguments[-1]

    @property
    def word(self) -> str:
        """The name of the function for people, without the prefix and the suffixes that TVM adds."""
        return self.function.removeprefix("fused_").rstrip("0123456789").rstrip("_").removesuffix("_pad")


@dataclass(frozen=True)
class StraightLine:
    """A network as kernel calls in order.

    ``results`` are the outputs in the shapes that the caller sees, ``result_tensors`` the tensors that hold them in
    memory. ``allocated`` are all tensors that kernels write, in order.
    """

    parameters: tuple[relax.Var, ...]
    calls: tuple[KernelCall, ...]
    allocated: tuple[relax.Var, ...]
    results: tuple[relax.Expr, ...]
    result_tensors: tuple[Tensor, ...]


def size_bytes(var: relax.Var) -> int:
    """The number of bytes of a dense tensor."""
    return prod(int(extent) for extent in var.ty.shape) * np.dtype(str(var.ty.dtype)).itemsize


def is_bits(var: relax.Var) -> bool:
    """Whether the tensor ``var`` has one of the types of packed signs, uint8 or uint32."""
    return str(var.ty.dtype) in ("uint8", "uint32")
