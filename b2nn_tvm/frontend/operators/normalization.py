"""BatchNormalization with constant statistics, and LayerNormalization with a scale and shift of any broadcast shape."""

from __future__ import annotations

import numpy as np
from tvm import relax

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.operators.node import Attrs, Inputs, const, dtype_of, given, sizes
from b2nn_tvm.relax_query import constant


def batch_norm(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """Batch norm with constant statistics as one multiplication and one addition, computed in float64."""
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


def layer_norm(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """Layer normalization over all axes from ``axis`` on, with a scale and a shift that are broadcast to the input.

    TVM's converter takes those of exactly the normalized shape only. What is normalized is computed in float32.
    """
    x, kind = inputs[0], dtype_of(inputs[0])
    count = attrs["tvm_custom"]["num_outputs"]
    if count > 1:
        raise UnsupportedError(f"only the first of its {count} outputs can be compiled; export it without the others")
    if kind != "float32":
        x = bb.emit(relax.op.astype(x, "float32"))
    rank = len(sizes(x))
    axes = list(range(int(attrs.get("axis", -1)) % rank, rank))
    shape = [sizes(x)[axis] for axis in axes]
    parameters = [inputs[1], given(inputs, 2)]
    fits = all(p is None or (sizes(p) == shape and dtype_of(p) == "float32") for p in parameters)
    scale, shift = parameters if fits else (None, None)
    ones, zeros = const(np.ones(shape, np.float32)), const(np.zeros(shape, np.float32))
    result = bb.emit(relax.op.nn.layer_norm(x, scale or ones, shift or zeros, axes, float(attrs.get("epsilon", 1e-5))))
    if kind != "float32":
        result = bb.emit(relax.op.astype(result, kind))
    if not fits:
        result = bb.emit(relax.op.multiply(result, _aligned(bb, parameters[0], rank)))
        if parameters[1] is not None:
            result = bb.emit(relax.op.add(result, _aligned(bb, parameters[1], rank)))
    return result


def _aligned(bb: relax.BlockBuilder, expr: relax.Expr, rank: int) -> relax.Expr:
    """The parameter with as many axes as the input: the layout passes know no others."""
    full = [1] * (rank - len(sizes(expr))) + sizes(expr)
    value = constant(expr)
    return bb.emit(relax.op.reshape(expr, full)) if value is None else const(value.reshape(full))
