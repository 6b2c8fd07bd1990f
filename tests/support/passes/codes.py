"""Quantized tensors and layers in Relax, as the frontend writes them, in NHWC."""

from __future__ import annotations

import numpy as np
from tvm import relax
from tvm.relax import op

from tests.support.passes.relax_functions import const


def codes(x: relax.Expr, scale: float = 0.25, zero: int = 3, low: int = 0, high: int = 255) -> relax.Expr:
    """The codes of a tensor as float whole numbers."""
    rounded = op.round(op.divide(x, const(scale)))
    return op.clip(op.add(rounded, const(zero)) if zero else rounded, low, high)


def numbers(c: relax.Expr, scale: float = 0.25, zero: int = 3) -> relax.Expr:
    """What codes stand for."""
    return op.multiply(op.subtract(c, const(zero)) if zero else c, const(scale))


def whole_weights(*shape: int, seed: int = 0, most: int = 127) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(float weights, integers, scales) of output channels on the last axis; ``most`` occurs in each of them."""
    rng = np.random.default_rng(seed)
    whole = rng.integers(-most, most + 1, shape)
    whole.reshape(-1, shape[-1])[0] = most
    scales = rng.uniform(0.001, 0.1, shape[-1]).astype(np.float32)
    return (whole * scales).astype(np.float32), whole, scales
