"""The weights of a dense layer, however the node that multiplies by them has them."""

from __future__ import annotations

from math import prod

import numpy as np
from tvm import relax

from b2nn_tvm.frontend.operators.node import Attrs, Inputs, const, sizes
from b2nn_tvm.frontend.operators.products.einsum import read_product
from b2nn_tvm.relax_query import constant


def dense_rows(op: str, inputs: Inputs, attrs: Attrs) -> np.ndarray | None:
    """The constant weights [outputs, inputs] by which a Gemm, MatMul or Einsum multiplies; None where it has none."""
    if op == "Einsum":
        return _of_einsum(inputs, attrs)
    first, second = (_matrix(inputs, place) for place in (0, 1))
    if second is not None:
        return second if attrs.get("transB", 0) else second.T
    return first if op == "MatMul" and constant(inputs[1]) is None else None  # W @ x


def matmul(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """MatMul by weights of the shape [1, ..., K, N] as one by [K, N]; others are left to TVM."""
    for place in (0, 1):
        matrix, value = _matrix(inputs, place), constant(inputs[place])
        if matrix is not None and value is not None and value.ndim > 2 and constant(inputs[1 - place]) is None:
            factors = [const(matrix) if at == place else expr for at, expr in enumerate(inputs)]
            return relax.op.matmul(*factors)
    return None


def _matrix(inputs: Inputs, place: int) -> np.ndarray | None:
    """A constant matrix, which may have further axes of size 1 in front if the other factor has as many."""
    value = constant(inputs[place])
    if value is None or value.ndim < 2 or prod(value.shape[:-2]) != 1:
        return None
    if value.ndim > 2 and len(sizes(inputs[1 - place])) < value.ndim:
        return None
    return value.reshape(value.shape[-2:])


def _of_einsum(inputs: Inputs, attrs: Attrs) -> np.ndarray | None:
    product = read_product(attrs)
    if product is None or product.batch:
        return None
    for place, others in ((1, product.columns), (0, product.rows)):
        value, letters = constant(inputs[place]), product.operands[place]
        if value is not None and value.ndim == len(letters) and others:
            moved = value.transpose([letters.index(letter) for letter in others + product.summed])
            return moved.reshape(prod(moved.shape[: len(others)]), -1)
    return None
