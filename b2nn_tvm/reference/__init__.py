"""The definition of the operators, given once: torch layers, exporter and compiler are tested against it.

This package gives the definition in numpy; onnx_functions.py holds the definition in ONNX, which exported files carry.
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
