"""Check that the weights of a network are numbers: those of a training that diverged, or of a damaged file, are not.

Infinities elsewhere are common, such as in the mask of an attention or the bounds of a clip.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_names import quoted

_WITH_WEIGHTS = ("BinaryConv2d", "Conv", "ConvTranspose", "Gemm", "MatMul", "WeightBinaryConv2d")


def check_weights(model: onnx.ModelProto) -> None:
    """Raise InputError, naming the node, where weights of a convolution or dense layer are not finite."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    checked: set[str] = set()
    for node in model.graph.node:
        names = {*node.input[:2]} & constants.keys() - checked if node.op_type in _WITH_WEIGHTS else ()
        for name in names:
            checked.add(name)
            if found := _not_finite(numpy_helper.to_array(constants[name])):
                raise InputError(
                    f"the weights {quoted(name)} of node {quoted(node.name)} ({node.op_type}) hold {found}: the "
                    "training diverged, or the file is damaged; export the network again"
                )


def _not_finite(weights: np.ndarray) -> str:
    """What the weights hold that is no finite number; the largest and the smallest one tell without a copy of all."""
    if weights.dtype.kind != "f" or not weights.size:
        return ""
    ends = weights.max(), weights.min()
    return "NaN" if any(map(np.isnan, ends)) else "infinities" if any(map(np.isinf, ends)) else ""
