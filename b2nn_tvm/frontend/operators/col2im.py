"""Col2Im: columns of pixels are added up at the places in an image that they came from (torch's ``fold``).

Each column holds a block of pixels of one channel; to put it back is a transposed convolution, whose weights put each
of its values at its own place in the block.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tvm import relax

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.operators.conv_transpose import Axis, interleaved
from b2nn_tvm.frontend.operators.node import Attrs, Inputs, sizes
from b2nn_tvm.relax_query import constant


def col2im(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr:
    """Columns [N, C kh kw, L] as an image [N, C, H, W].

    Raises UnsupportedError for sizes that are computed at run time, and for other images than those of two axes.
    """
    image, block = (constant(each) for each in inputs[1:3])
    if image is None or block is None or len(image) != 2:
        raise UnsupportedError("the sizes of its image and of its blocks have to be two constants each")
    taps = [int(size) for size in block]
    axes = _axes([int(size) for size in image], taps, attrs)
    batch, rows, _ = sizes(inputs[0])
    channels = rows // (taps[0] * taps[1])
    columns = bb.emit(relax.op.reshape(inputs[0], (batch, rows, axes[0].size, axes[1].size)))
    one_hot = np.eye(taps[0] * taps[1], dtype=np.float32).reshape(-1, 1, *taps)
    return interleaved(bb, columns, np.tile(one_hot, (channels, 1, 1, 1)), channels, axes, None)


def _axes(image: Sequence[int], taps: Sequence[int], attrs: Attrs) -> list[Axis]:
    strides, dilations = (list(attrs.get(name, (1, 1))) for name in ("strides", "dilations"))
    pads = list(attrs.get("pads") or (0, 0, 0, 0))
    found = []
    for number, (size, count) in enumerate(zip(image, taps, strict=True)):
        stride, dilation, before, after = strides[number], dilations[number], pads[number], pads[2 + number]
        blocks = (size + before + after - dilation * (count - 1) - 1) // stride + 1
        found.append(Axis(blocks, stride, dilation, count, before, size))
    return found
