"""Check the sizes of a network's values and the work of an inference by their shapes, before anything is allocated."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import onnx

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_names import quoted

# A value of 1 GiB is one of 32 channels on a picture of 4096 x 2048; a board has 1 to 8 GiB for all values together.
LARGEST_VALUE = 2**28  # elements, of up to 4 bytes in nearly all networks
# VGG-19 on a picture of 224 x 224 needs 2e10; at 1e11 in a second, which is much, this limit is 100 s per inference.
MOST_MACS = 10**13


def check_shapes(shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise InputError, naming the value, where a value of these shapes has more than 2^28 elements."""
    for name, shape in shapes.items():
        if math.prod(shape) > LARGEST_VALUE:
            raise InputError(
                f"the value {quoted(name)} has the shape {'x'.join(map(str, shape))}, which is more than "
                f"{LARGEST_VALUE} elements; give the network smaller inputs"
            )


def check_work(nodes: Iterable[onnx.NodeProto], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise InputError where the convolutions and matrix products of known ``shapes`` are more than 1e13
    multiply-accumulates.
    """
    total = sum(_macs(node, shapes) for node in nodes)
    if total > MOST_MACS:
        raise InputError(
            f"an inference of this network is {total:.1e} multiply-accumulates, more than {MOST_MACS:.0e}; give it "
            "smaller inputs"
        )


def _macs(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> int:
    if len(node.input) < 2 or not node.output:
        return 0
    x, weight, y = (shapes.get(name, ()) for name in (*node.input[:2], node.output[0]))
    if node.op_type == "Conv" and len(weight) > 2 and len(y) > 2:
        return math.prod(y) * math.prod(weight[1:])
    if node.op_type == "ConvTranspose" and len(weight) > 2 and len(x) > 2:
        return math.prod(x) * math.prod(weight[1:])
    if node.op_type in ("MatMul", "Gemm") and x and y:
        transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
        return math.prod(y) * x[0 if transposed else -1]
    return 0
