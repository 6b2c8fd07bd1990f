"""MaxPool, AveragePool and LpPool: TVM's converters, with explicit padding in place of auto_pad, for which they compute
a wrong shape.
"""

from __future__ import annotations

from tvm import relax

from b2nn_tvm.frontend.operators.node import Attrs, Inputs, sizes
from b2nn_tvm.frontend.operators.spatial import auto_pad, explicit_padding


def pool_padding(bb: relax.BlockBuilder, inputs: Inputs, attrs: Attrs) -> None:
    """Replace the attribute auto_pad by pads."""
    if auto_pad(attrs) != "NOTSET":
        kernel = attrs["kernel_shape"]
        ones = (1,) * len(kernel)
        attrs["pads"] = explicit_padding(
            attrs, sizes(inputs[0])[2:], kernel, attrs.get("strides", ones), attrs.get("dilations", ones)
        )
        del attrs["auto_pad"]
