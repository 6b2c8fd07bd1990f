"""What may stand behind a binary convolution: every kind of output that a layer of a network can have."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from b2nn_tvm import reference
from b2nn_tvm.workload import ConvWorkload
from tests.support.exactness.tracer import Tracer, Value
from tests.support.networks.binary_networks import Layer

# From the integers of a convolution to the outputs to compare.
Kind = Callable[[Tracer, Value], tuple[Value, ...]]

READERS = ((1, 0), (3, 0), (3, 1), (3, -1))  # kernel, pad value


def read(t: Tracer, signs: Value, *, other: int = 0) -> Value:
    """16 random filters over the signs: no two images of signs are likely to give the same sums."""
    channels = signs.array.shape[1]
    if signs.array.ndim == 2:
        return t.dense(signs, 16)
    kernel, pad_value = READERS[(channels + other) % len(READERS)]
    batch, _, height, width = signs.array.shape
    workload = ConvWorkload(batch, channels, height, width, 16, (kernel, kernel), padding=(kernel // 2,) * 4)
    weight = reference.sign(t.constants.standard_normal((16, channels, kernel, kernel)))
    return t.conv(signs, Layer(workload, pad_value, weight, np.zeros((channels, 1, 1), np.float32)))


def affine_and_sign(t: Tracer, y: Value) -> tuple[Value, ...]:
    y = t.affine(y)
    return y, read(t, t.sign(y))


def scale_and_sign(t: Tracer, y: Value) -> tuple[Value, ...]:
    y = t.scale(y)
    return y, read(t, t.sign(y))


def batch_norm_and_learned_sign(t: Tracer, y: Value) -> tuple[Value, ...]:
    y = t.batch_norm(y)
    return y, read(t, t.learned_sign(y))


def affine_batch_norm_and_sign(t: Tracer, y: Value) -> tuple[Value, ...]:
    y = t.batch_norm(t.affine(y))
    return y, read(t, t.sign(y))


def residual_and_sign(t: Tracer, y: Value) -> tuple[Value, ...]:
    y = t.residual(t.affine(y))
    return y, read(t, t.sign(y))


def prelu_and_sign(t: Tracer, y: Value) -> tuple[Value, ...]:
    y = t.prelu(t.affine(y))
    return y, read(t, t.sign(y))


def relu_and_learned_sign(t: Tracer, y: Value) -> tuple[Value, ...]:
    y = t.relu(t.affine(y))
    return y, read(t, t.learned_sign(y))


def reactnet_block(t: Tracer, y: Value) -> tuple[Value, ...]:
    """Batch norm, shortcut, RPReLU and the sign of the next layer, whose threshold is learned (Liu et al.,
    ReActNet).
    """
    y = t.shift(t.prelu(t.shift(t.residual(t.batch_norm(y), finite=True))))
    return y, read(t, t.learned_sign(y))


def two_readers(t: Tracer, y: Value) -> tuple[Value, ...]:
    """Bits for two convolutions with different padding."""
    signs = t.sign(t.batch_norm(y))
    return read(t, signs), read(t, signs, other=2)


# Bits for another convolution, which reads them; nothing else does. All of them become one integer threshold.
BITS: dict[str, Kind] = {
    "sign": lambda t, y: (read(t, t.sign(y)),),
    "batch norm, sign": lambda t, y: (read(t, t.sign(t.batch_norm(y))),),
    "scale and bias, learned threshold": lambda t, y: (read(t, t.learned_sign(t.affine(y))),),
    "scale and bias, batch norm, sign": lambda t, y: (read(t, t.sign(t.batch_norm(t.affine(y)))),),
}
# A float result, and its bits for another convolution; all of them become one multiplication, one addition and a
# comparison.
BOTH: dict[str, Kind] = {
    "scale and bias; sign": affine_and_sign,
    "batch norm; learned threshold": batch_norm_and_learned_sign,
    "scale and bias, batch norm; sign": affine_batch_norm_and_sign,
}
# Each is code of its own.
OTHERS: dict[str, Kind] = {
    "integers": lambda t, y: (y,),
    "scale": lambda t, y: (t.scale(y),),
    "relu": lambda t, y: (t.relu(t.affine(y)),),
    "prelu": lambda t, y: (t.prelu(t.affine(y)),),
    "clip": lambda t, y: (t.clip(t.batch_norm(y)),),
    "rprelu": lambda t, y: (t.shift(t.prelu(t.shift(t.batch_norm(y)))),),
    "residual": lambda t, y: (t.residual(t.affine(y)),),
    "relu, residual": lambda t, y: (t.residual(t.relu(t.affine(y))),),
    "batch norm, residual, prelu": lambda t, y: (t.prelu(t.residual(t.batch_norm(y), finite=True)),),
    "signs as floats": lambda t, y: (t.sign(t.batch_norm(y)),),
    "max pool": lambda t, y: (t.max_pool(t.relu(t.affine(y))),),
    "scale; sign": scale_and_sign,
    "residual; sign": residual_and_sign,
    "prelu; sign": prelu_and_sign,
    "relu; learned threshold": relu_and_learned_sign,
    "batch norm, residual, rprelu; learned threshold": reactnet_block,
    "residual, sign": lambda t, y: (read(t, t.sign(t.residual(t.affine(y)))),),
    "two readers": two_readers,
    "sign, max pool": lambda t, y: (read(t, t.max_pool(t.sign(t.batch_norm(y)))),),
    "max pool, sign": lambda t, y: (read(t, t.sign(t.max_pool(t.affine(y)))),),
}
