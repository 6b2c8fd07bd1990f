"""A float network with odd names and every spelling of weights: initializer, Constant node, Identity, groups."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from tests.support.networks.onnx_models import model

NODES = """
    ["/stem/Conv"] a = Conv <pads = [1, 1, 1, 1]> (input, "the stem's w") r = Relu (a)
    b = Conv <auto_pad = "SAME_UPPER", strides = [2, 2]> (r, "block.0.weight", "block.0.bias") s = Relu (b)
    p = MaxPool <kernel_shape = [2, 2], strides = [1, 1]> (s)
    alias = Identity ("blöck 1.weight")
    ["odd name"] c = Conv (p, alias) t = Clip (c, low)
    kept = Add (t, c)
    ["/up/up.0/conv/Conv"] d = Conv <group = 2, pads = [1, 1, 1, 1]> (kept, grouped) u = Sigmoid (d)
    ["last"] e = Conv <pads = [0, 1, 1, 0]> (u, constant, "last.bias")
    f = GlobalAveragePool (e) g = Flatten (f) output = Gemm <transB = 1> (g, fc)
"""


def float_network(*, opset: int = 18) -> onnx.ModelProto:
    """Convolutions "/stem/Conv", "Conv_3", "odd name", "/up/up.0/conv/Conv" in two groups, and "last".

    The input is [1, 3, 9, 8].
    """
    draw = np.random.default_rng(0)
    normal = lambda *shape: draw.standard_normal(shape).astype(np.float32)
    constants = {
        "the stem's w": normal(8, 3, 3, 3),
        "block.0.weight": normal(8, 8, 3, 3),
        "block.0.bias": normal(8),
        "blöck 1.weight": normal(16, 8, 1, 1),
        "grouped": normal(16, 8, 3, 3),
        "last.bias": normal(12),
        "fc": normal(5, 12),
        "low": np.float32(0),
    }
    built = model(NODES, constants, inputs="float[1,3,9,8] input", outputs="float[1,5] output", opset=opset)
    weight = numpy_helper.from_array(normal(12, 16, 2, 2))
    built.graph.node.insert(0, onnx.helper.make_node("Constant", [], ["constant"], value=weight))
    return built
