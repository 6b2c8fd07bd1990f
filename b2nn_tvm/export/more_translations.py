"""Operators that torch's exporter breaks down into ones for which it has no ONNX form, and their ONNX forms.

copysign(a, b) becomes abs and signbit, hypot stays hypot, and RReLU in evaluation becomes rrelu_with_noise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from onnxscript import opset18 as op


def _signbit(value: Any) -> Any:
    """ONNX has no operator that tells -0.0 from 0.0; torch.signbit itself is exported like this, too."""
    zero: Any = op.Constant(value_float=0.0)
    return op.Less(value, op.CastLike(zero, value))


def _hypot(first: Any, second: Any) -> Any:
    return op.Sqrt(op.Add(op.Mul(first, first), op.Mul(second, second)))


def _rrelu(
    value: Any, noise: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, generator: Any = None
) -> Any:
    """In evaluation, in which all networks are exported, the slope is the middle of the two."""
    return op.LeakyRelu(value, alpha=(lower + upper) / 2), noise


# By the operator of torch that they translate, as torch.onnx.export takes them.
TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.prims.signbit.default: _signbit,
    torch.ops.prims.hypot.default: _hypot,
    torch.ops.aten.rrelu_with_noise_functional.default: _rrelu,
}
