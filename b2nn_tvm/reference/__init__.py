"""What the operators compute, defined once: torch layers, exporter and compiler are tested against it.

The definition in numpy is at hand here; that in ONNX, which files carry, stands in onnx_functions.py.
"""

from b2nn_tvm.reference.binary import (
    binary_conv2d,
    binary_dense,
    pack,
    scale_channels,
    sign,
    threshold_channels,
    unpack,
    weight_binary_conv2d,
    xnor_dot,
)

__all__ = [
    "binary_conv2d",
    "binary_dense",
    "pack",
    "scale_channels",
    "sign",
    "threshold_channels",
    "unpack",
    "weight_binary_conv2d",
    "xnor_dot",
]
