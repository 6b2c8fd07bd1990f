"""Pad by a constant with known widths as nn.pad; any other padding is left to TVM."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tvm import relax

from b2nn_tvm.frontend.operators.node import Attrs, Inputs, dtype_of, given, sizes, word
from b2nn_tvm.relax_query import constant


def pad(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> relax.Expr | None:
    """Padding of floats on any axes; negative widths, which crop, are left to TVM."""
    rank = len(sizes(inputs[0]))
    if word(attrs, "mode", "constant") != "constant":
        return None
    pads, value = attrs.get("pads"), attrs.get("value", 0.0)
    axes: Sequence[int] | np.ndarray | None = range(rank)
    if pads is None:
        pads = constant(inputs[1])
        if given(inputs, 2) is not None:
            value = constant(inputs[2])
        if given(inputs, 3) is not None:
            axes = constant(inputs[3])
    if pads is None or value is None or axes is None or min(pads) < 0 or dtype_of(inputs[0]) != "float32":
        return None
    widths = [0] * (2 * rank)
    for position, axis in enumerate(int(axis) % rank for axis in axes):
        widths[2 * axis], widths[2 * axis + 1] = int(pads[position]), int(pads[position + len(axes)])
    return relax.op.nn.pad(inputs[0], widths, "constant", float(np.asarray(value).item()))
