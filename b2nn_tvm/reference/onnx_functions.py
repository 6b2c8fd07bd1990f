"""The functions BinaryConv2d and WeightBinaryConv2d (which takes no sign of its input) in ONNX: domain b2nn, version 1.

They carry their weights as bits; their bodies unpack them, so that any ONNX runtime computes them. ``channels`` are
those of a filter: all channels of the input divided by ``group``, which is 1 where it is left out.

The scale is the first factor, because onnxruntime folds a second one into the weights (its ConvMulFusion). Sums of
+alpha and -alpha are not exact: where +1 and -1 cancel out to 0, they come close to it, on either side of a sign.
"""

from __future__ import annotations

import onnx
import onnx.parser

DOMAIN, VERSION = "b2nn", 1
NAME, WEIGHT_NAME = "BinaryConv2d", "WeightBinaryConv2d"
OPSET = 18

_SIGNS = """
    minus_one = Constant <value_float: float = -1.0> ()
    thresholds = Unsqueeze (threshold, per_channel)
    positive = GreaterOrEqual (x, thresholds)
    image = Where (positive, one, minus_one)
"""
# pads are (top, left, bottom, right). The bits of ``weight`` [O, kh, kw, ceil(C/8)] lie along C, the lowest bit first.
_BODY = """
<opset_import: ["" : 18], domain: "b2nn">
NAME <kernel_shape, strides, pads, dilations, pad_value, channels, group: int = 1> (INPUTS) => (y)
{
    one = Constant <value_float: float = 1.0> ()
    two = Constant <value_float: float = 2.0> ()
    per_channel = Constant <value_ints: ints = [1, 2]> ()
    IMAGE

    pixels = Constant <value_ints: ints = @pads> ()
    start = Constant <value_ints: ints = [0]> ()
    middle = Constant <value_ints: ints = [2]> ()
    end = Constant <value_ints: ints = [4]> ()
    before = Slice (pixels, start, middle)
    after = Slice (pixels, middle, end)
    no_pixels = Constant <value_ints: ints = [0, 0]> ()
    all_pixels = Concat <axis: int = 0> (no_pixels, before, no_pixels, after)
    value = Constant <value_float: float = @pad_value> ()
    padded = Pad (image, all_pixels, value)

    last = Constant <value_ints: ints = [-1]> ()
    bit_numbers = Constant <value_ints: ints = [0, 1, 2, 3, 4, 5, 6, 7]> ()
    shifts = Cast <to: int = 2> (bit_numbers)
    bytes = Unsqueeze (weight, last)
    shifted = BitShift <direction: string = "RIGHT"> (bytes, shifts)
    mask_number = Constant <value_int: int = 1> ()
    mask = Cast <to: int = 2> (mask_number)
    bits = BitwiseAnd (shifted, mask)
    bits_shape = Constant <value_ints: ints = [0, 0, 0, -1]> ()
    bits_in_line = Reshape (bits, bits_shape)
    channel_number = Constant <value_int: int = @channels> ()
    channel_count = Reshape (channel_number, last)
    channel_axis = Constant <value_ints: ints = [3]> ()
    used_bits = Slice (bits_in_line, start, channel_count, channel_axis)
    zeros_and_ones = Cast <to: int = 1> (used_bits)
    doubled = Mul (zeros_and_ones, two)
    centred = Sub (doubled, one)
    weights = Transpose <perm: ints = [0, 3, 1, 2]> (centred)

    sums = Conv <kernel_shape: ints = @kernel_shape, strides: ints = @strides, dilations: ints = @dilations,
        group: int = @group> (padded, weights)
    scales = Unsqueeze (scale, per_channel)
    y = Mul (scales, sums)
}
"""


def binary_conv2d_function() -> onnx.FunctionProto:
    """The definition of BinaryConv2d, to be stored in every model that calls it."""
    return _function(NAME, "x, weight, scale, threshold", _SIGNS)


def weight_binary_conv2d_function() -> onnx.FunctionProto:
    """The definition of WeightBinaryConv2d, to be stored in every model that calls it."""
    return _function(WEIGHT_NAME, "x, weight, scale", "image = Identity (x)")


def _function(name: str, inputs: str, image: str) -> onnx.FunctionProto:
    """The definition of a function; ``image`` holds the nodes that turn x into the image that is padded and
    convolved.
    """
    return onnx.parser.parse_function(_BODY.replace("NAME", name).replace("INPUTS", inputs).replace("IMAGE", image))


# The function that makes the definition of each operator.
FUNCTIONS = {NAME: binary_conv2d_function, WEIGHT_NAME: weight_binary_conv2d_function}
