"""Dense layer: y[n, o] = sum over k of x[n, k] * weight[o / lanes, k, o % lanes].

The sum has the four loops of a convolution with one pixel, so that it is scheduled as one.
"""

from __future__ import annotations

import numpy as np
from tvm import te

from b2nn_tvm.kernel_attrs import Op, mark


def dense(x: te.Tensor, weight: te.Tensor, *, outputs: int) -> te.Tensor:
    """float32 [N, O] of x [N, K] and weight from ``pack_dense_weights``."""
    blocks, inputs, lanes = (int(extent) for extent in weight.shape)
    batch = int(x.shape[0])
    k = te.reduce_axis((0, inputs), "k")
    key = f"dense_n{batch}_k{inputs}_o{outputs}"
    sums = te.compute(
        (batch, 1, 1, blocks * lanes),
        lambda n, h, w, o: te.sum(x[n, k + h + w] * weight[o // lanes, k, o % lanes], axis=[k]),
        name="dense",
        attrs=mark(Op.DENSE, key, lanes=lanes),
    )
    return te.compute((batch, outputs), lambda n, o: sums[n, 0, 0, o], name="rows")


def pack_dense_weights(weight: np.ndarray, *, lanes: int) -> np.ndarray:
    """[ceil(O / lanes), K, lanes] of weight [K, O]; absent outputs are 0."""
    inputs, outputs = weight.shape
    whole, left = divmod(outputs, lanes)
    packed = np.zeros((whole + (left > 0), inputs, lanes), weight.dtype)
    packed[:whole] = weight[:, : whole * lanes].reshape(inputs, whole, lanes).transpose(1, 0, 2)
    if left:
        packed[whole, :, :left] = weight[:, whole * lanes :]
    return packed
