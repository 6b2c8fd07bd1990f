"""Inputs for scheduled functions, and how many of their loops are parallel."""

from __future__ import annotations

import numpy as np
from tvm import tirx


def inputs_of(function: tirx.PrimFunc) -> list[np.ndarray]:
    """Random bits, and small integers as floats, whose sums and products are exact in any order."""
    rng = np.random.default_rng(0)
    arrays = []
    for parameter in function.params[:-1]:
        shape, dtype = tuple(map(int, parameter.ty.shape)), str(parameter.dtype)
        limits = (-4, 5) if dtype == "float32" else (0, np.iinfo(dtype).max)
        arrays.append(rng.integers(*limits, shape).astype(dtype))
    return arrays


def parallel_loops(function: tirx.PrimFunc) -> int:
    return function.script().count("T.parallel(")
