"""Einsum of two tensors as a product of matrices, by which a dense layer in this spelling is known as one:

Einsum <"bchw,oc->bohw"> (x, w)  ->  Transpose (MatMul (Transpose (x), w^T))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from tvm import relax

from b2nn_tvm.frontend.operators.node import Attrs, Inputs, const, dtype_of, sizes, word
from b2nn_tvm.relax_query import constant


@dataclass(frozen=True)
class Product:
    """The letters of an equation: those of all three tensors, of the first and the result, of the second and the
    result, and of the two that are summed over.
    """

    operands: tuple[str, str]
    result: str
    batch: str
    rows: str
    columns: str
    summed: str


def read_product(attrs: Attrs) -> Product | None:
    """The letters of an equation of two tensors; None where it is no product of matrices."""
    left, arrow, result = word(attrs, "equation", "").replace(" ", "").partition("->")
    operands = left.split(",")
    if len(operands) != 2 or not arrow or not result or any(len(set(each)) < len(each) for each in (*operands, result)):
        return None
    if not (left.replace(",", "") + result).isalpha():  # an ellipsis
        return None
    a, b = map(set, operands)
    out = set(result)
    if not out <= a | b or not (a ^ b) <= out or not (a & b) - out:
        return None
    first, second = operands
    return Product(
        (first, second),
        result,
        batch="".join(letter for letter in first if letter in b & out),
        rows="".join(letter for letter in first if letter in out - b),
        columns="".join(letter for letter in second if letter in out - a),
        summed="".join(letter for letter in first if letter in b - out),
    )


def einsum(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """The product of two tensors of floats; other equations are left to TVM."""
    product = read_product(attrs)
    if product is None or not dtype_of(inputs[0]).startswith("float"):
        return None
    first, second = inputs
    if constant(first) is not None and not product.batch:  # the weights come second
        first, second = second, first
        product = Product(product.operands[::-1], product.result, "", product.columns, product.rows, product.summed)
    extents: dict[str, int] = {}
    for expr, letters in zip((first, second), product.operands, strict=True):
        if len(sizes(expr)) != len(letters) or any(
            extents.setdefault(letter, size) != size for letter, size in zip(letters, sizes(expr), strict=True)
        ):
            return None
    batch, rows, columns, summed = product.batch, product.rows, product.columns, product.summed
    a = _matrix(bb, first, product.operands[0], (batch, rows, summed), extents)
    b = _matrix(bb, second, product.operands[1], (batch, summed, columns), extents)
    found = bb.emit(relax.op.matmul(a, b))
    letters = batch + rows + columns
    apart = bb.emit(relax.op.reshape(found, [extents[letter] for letter in letters]))
    return relax.op.permute_dims(apart, [letters.index(letter) for letter in product.result])


def _matrix(
    bb: relax.BlockBuilder, expr: relax.Expr, letters: str, groups: Sequence[str], extents: dict[str, int]
) -> relax.Expr:
    """The tensor with the axes of each group as one; without the first group where that has none."""
    order = [letters.index(letter) for group in groups for letter in group]
    shape = [prod(extents[letter] for letter in group) for group in (groups if groups[0] else groups[1:])]
    value = constant(expr)
    if value is not None:
        return const(np.ascontiguousarray(value.transpose(order)).reshape(shape))
    moved = expr if order == sorted(order) else bb.emit(relax.op.permute_dims(expr, order))
    return moved if sizes(moved) == shape else bb.emit(relax.op.reshape(moved, shape))
