"""BatchNormalization with constant statistics, LayerNormalization with a scale and shift of any broadcast shape, and
LpNormalization.
"""

from __future__ import annotations

import numpy as np
from tvm import relax

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.operators.node import Attrs, Inputs, const, dtype_of, given, sizes
from b2nn_tvm.relax_query import constant

_LENGTH = 2  # the p of LpNormalization; the other one is 1


def batch_norm(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """Batch norm with constant statistics as one multiplication and one addition, whose factors are computed in
    float64; other statistics and types are left to TVM. Raises UnsupportedError in training mode.
    """
    if attrs.get("training_mode", 0):
        raise UnsupportedError("batch norm in training mode; export the model in inference mode (model.eval())")
    constants = [c for expr in inputs[1:5] if (c := constant(expr)) is not None]
    if len(constants) < 4 or dtype_of(inputs[0]) != "float32":
        return None
    gamma, beta, mean, variance = (c.astype(np.float64) for c in constants)
    scale = gamma / np.sqrt(variance + attrs.get("epsilon", 1e-5))
    full = (1, -1) + (1,) * (len(sizes(inputs[0])) - 2)
    scaled = bb.emit(relax.op.multiply(inputs[0], const(scale.astype(np.float32).reshape(full))))
    return relax.op.add(scaled, const((beta - mean * scale).astype(np.float32).reshape(full)))


def lp_norm(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """Vectors along an axis, divided by the sum of their magnitudes or by their length; zeros stay zeros."""
    x, kind = inputs[0], dtype_of(inputs[0])
    axis = int(attrs.get("axis", -1)) % len(sizes(x))
    if int(attrs.get("p", _LENGTH)) == _LENGTH:
        squares = bb.emit(relax.op.sum(bb.emit(relax.op.multiply(x, x)), axis, True))
        size = bb.emit(relax.op.sqrt(squares))
    else:
        size = bb.emit(relax.op.sum(bb.emit(relax.op.abs(x)), axis, True))
    is_zero = bb.emit(relax.op.equal(size, const(0, kind)))
    return relax.op.divide(x, bb.emit(relax.op.where(is_zero, const(1, kind), size)))


def layer_norm(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """Layer normalization over all axes from ``axis`` on, with a scale and a shift that are broadcast to the input.

    TVM's converter takes those of exactly the normalized shape only. What is normalized is computed in float32.
    """
    x, kind = inputs[0], dtype_of(inputs[0])
    if kind != "float32":
        x = bb.emit(relax.op.astype(x, "float32"))
    rank = len(sizes(x))
    axes = list(range(int(attrs.get("axis", -1)) % rank, rank))
    shape = [sizes(x)[axis] for axis in axes]
    parameters = [inputs[1], given(inputs, 2)]
    fits = all(p is None or (sizes(p) == shape and dtype_of(p) == "float32") for p in parameters)
    scale, shift = parameters if fits else (None, None)
    ones, zeros = const(np.ones(shape, np.float32)), const(np.zeros(shape, np.float32))
    epsilon = float(attrs.get("epsilon", 1e-5))
    result = bb.emit(
        relax.op.nn.layer_norm(x, ones if scale is None else scale, zeros if shift is None else shift, axes, epsilon)
    )
    if kind != "float32":
        result = bb.emit(relax.op.astype(result, kind))
    if not fits:
        result = bb.emit(relax.op.multiply(result, _aligned(bb, parameters[0], rank)))
        if parameters[1] is not None:
            result = bb.emit(relax.op.add(result, _aligned(bb, parameters[1], rank)))
    count = attrs["tvm_custom"]["num_outputs"]
    if count == 1:
        return result
    mean = bb.emit(relax.op.mean(x, axes, True))
    variance = bb.emit(relax.op.variance(x, axes, True))
    deviation = relax.op.rsqrt(bb.emit(relax.op.add(variance, const(epsilon, "float32"))))
    return relax.Tuple([result, mean, bb.emit(deviation)][:count])


def rms_norm(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """RMS normalization over all axes at once, for which TVM has no kernel; over fewer ones it is left to TVM."""
    x, kind = inputs[0], dtype_of(inputs[0])
    rank = len(sizes(x))
    if int(attrs.get("axis", -1)) % rank:
        return None
    wide = x if kind == "float32" else bb.emit(relax.op.astype(x, "float32"))
    square = bb.emit(relax.op.mean(bb.emit(relax.op.multiply(wide, wide)), None, True))
    inverse = bb.emit(relax.op.rsqrt(bb.emit(relax.op.add(square, const(attrs.get("epsilon", 1e-5), "float32")))))
    normal = bb.emit(relax.op.multiply(wide, inverse))
    if kind != "float32":
        normal = bb.emit(relax.op.astype(normal, kind))
    return relax.op.multiply(normal, _aligned(bb, inputs[1], rank))


def _aligned(bb: relax.BlockBuilder, expr: relax.Expr, rank: int) -> relax.Expr:
    """The parameter with as many axes as the input: the layout passes know no others."""
    full = [1] * (rank - len(sizes(expr))) + sizes(expr)
    value = constant(expr)
    return bb.emit(relax.op.reshape(expr, full)) if value is None else const(value.reshape(full))
