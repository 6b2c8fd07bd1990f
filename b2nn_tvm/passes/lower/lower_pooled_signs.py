"""Lower the max pooling of signs to a pooling of bits: max_pool2d(sign) [* m] on packed words is call_tir(pool_bits,
words, bits of m).
"""

from __future__ import annotations

import numpy as np
from tvm import relax

from b2nn_tvm.ops.bit_layout import pack_channels
from b2nn_tvm.ops.pool_bits import pool_bits
from b2nn_tvm.ops.pooling import Pooling
from b2nn_tvm.passes.framework.rewriter import RewriteContext
from b2nn_tvm.passes.patterns.sign_patterns import PooledSigns
from b2nn_tvm.relax_query import dtype, four, pair, shape


def lower_pooled_signs(
    pooled: PooledSigns,
    packed: relax.Expr,
    context: RewriteContext,
    *,
    border: tuple[int, int, int, int],
    pad_value: int,
) -> relax.Expr:
    """The packed form of pooled signs with the border (top, left, bottom, right) of the layer that reads them.

    ``packed`` [N, H, W, words] are the packed signs before the pooling.
    """
    batch, height, width, channels = shape(pooled.pool)
    pooling, word = pooling_of(pooled.pool), dtype(packed)
    kernel = pool_bits(four(shape(packed)), pooling, border, channels=channels, word=word, pad_value=pad_value)
    flips = pack_channels(np.where(pooled.flips < 0, 1, -1).astype(np.int8), word=word)
    top, left, bottom, right = border
    out = relax.TensorType((batch, height + top + bottom, width + left + right, shape(packed)[3]), word)
    return context.call_kernel(kernel, packed, relax.const(flips), name="pool_bits", out=out)


def pooling_of(call: relax.Call) -> Pooling:
    """The geometry of an nn.max_pool2d in NHWC."""
    attrs, (_, height, width, _) = call.attrs, shape(call)
    return Pooling(pair(attrs.pool_size), pair(attrs.strides), four(attrs.padding), pair(attrs.dilation), height, width)
