"""Div, Mod, Pow and BitShift of integers, for all values, and squares.

Dividing by zero, or the smallest number by -1, ends a process by a signal on many processors. ONNX leaves the result
open; here it is 0, or the smallest number, as on ARM.
"""

from __future__ import annotations

import numpy as np
from tvm import relax

from b2nn_tvm.frontend.operators.node import Attrs, Inputs, const, dtype_of, sizes, word
from b2nn_tvm.relax_query import constant

_SQUARE = 2


def div(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """The quotient of integers, rounded towards zero; floats are left to TVM, but for a division by the number 0, which
    it refuses to fold: it is the product by an infinity.
    """
    a, b = inputs
    if dtype_of(a).startswith("float"):
        divisor = constant(b)
        if divisor is None or divisor.size != 1 or divisor.item() != 0:
            return None
        return relax.op.multiply(a, const(np.copysign(np.full_like(divisor, np.inf), divisor)))
    safe, exceptions = _safe_divisor(bb, b, negative=relax.op.negative(a))
    return _with_exceptions(bb, relax.op.divide(a, safe), exceptions)


def mod(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """The remainder: with the sign of the divisor, or with fmod of the dividend."""
    a, b = inputs
    remainder = relax.op.mod if attrs.get("fmod", 0) else relax.op.floor_mod
    if dtype_of(a).startswith("float"):
        return relax.op.mod(a, b) if attrs.get("fmod", 0) else _float_mod(bb, a, b)
    safe, exceptions = _safe_divisor(bb, b, negative=const(np.zeros((), dtype_of(b))))
    return _with_exceptions(bb, remainder(a, safe), exceptions)


def _float_mod(bb: relax.BlockBuilder, a: relax.Expr, b: relax.Expr) -> relax.Expr:
    """The remainder with the sign of the divisor: that with the sign of the dividend, which is exact, corrected."""
    zero, rest = const(np.zeros((), dtype_of(a))), bb.emit(relax.op.mod(a, b))
    signs = [bb.emit(relax.op.less(value, zero)) for value in (rest, b)]
    differ = bb.emit(relax.op.logical_xor(*signs))
    wrong = bb.emit(relax.op.logical_and(differ, bb.emit(relax.op.not_equal(rest, zero))))
    return relax.op.where(wrong, bb.emit(relax.op.add(rest, b)), rest)


def power(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """Powers of integers, or by another type, and squares; other powers of floats by floats are left to TVM."""
    base, exponent = inputs
    kind, fixed = dtype_of(base), constant(exponent)
    is_square = fixed is not None and fixed.size == 1 and fixed.item() == _SQUARE and fixed.ndim <= len(sizes(base))
    if kind.startswith("float") and is_square:
        return relax.op.multiply(base, base)
    if kind.startswith("float") and dtype_of(exponent) == kind:
        return None
    wide = kind if kind.startswith("float") else "float64"
    base, exponent = (
        expr if dtype_of(expr) == wide else bb.emit(relax.op.astype(expr, wide)) for expr in (base, exponent)
    )
    result = bb.emit(relax.op.power(base, exponent))
    return result if wide == kind else relax.op.astype(result, kind)


def _safe_divisor(
    bb: relax.BlockBuilder, b: relax.Expr, *, negative: relax.Expr
) -> tuple[relax.Expr, list[tuple[relax.Expr, relax.Expr]]]:
    """The divisor, which is 1 where it would be 0 or -1, and (condition, result) for these; ``negative``: for -1."""
    kind, value = dtype_of(b), constant(b)
    cases = {0: const(np.zeros((), kind))}
    if kind.startswith("int"):
        cases[-1] = negative
    if value is not None:
        cases = {number: result for number, result in cases.items() if (value == number).any()}
    exceptions, safe = [], b
    for number, result in cases.items():
        condition = bb.emit(relax.op.equal(b, const(np.array(number, kind))))
        exceptions.append((condition, result))
        safe = bb.emit(relax.op.where(condition, const(np.ones((), kind)), safe))
    return safe, exceptions


def _with_exceptions(
    bb: relax.BlockBuilder, result: relax.Expr, exceptions: list[tuple[relax.Expr, relax.Expr]]
) -> relax.Expr:
    for condition, other in exceptions:
        result = relax.op.where(condition, other, bb.emit(result))
    return result


def bit_shift(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """A shift of bits. By a negative number, or by all bits and more, it shifts them all out: zeros are left, but ones
    to the right of a negative number.
    """
    x, by = inputs
    kind = dtype_of(x)
    bits, signed = np.dtype(kind).itemsize * 8, kind.startswith("int")
    small = bb.emit(relax.op.less(by, const(np.array(bits, kind))))
    if signed:
        positive = bb.emit(relax.op.greater_equal(by, const(np.array(0, kind))))
        small = bb.emit(relax.op.logical_and(small, positive))
    left = word(attrs, "direction", "") == "LEFT"
    within = bb.emit(relax.op.where(small, by, const(np.array(bits - 1, kind))))
    shifted = (relax.op.left_shift if left else relax.op.right_shift)(x, within)
    if signed and not left:
        return shifted
    return relax.op.where(small, bb.emit(shifted), const(np.zeros((), kind)))
