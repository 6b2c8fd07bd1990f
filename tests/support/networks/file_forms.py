"""One model for each form of file that is rewritten when it is read: old opsets, quantized, float16, with branches."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.support.networks.onnx_models import model

_RNG = np.random.default_rng(0)


def _floats(*shape: int) -> np.ndarray:
    return _RNG.standard_normal(shape).astype(np.float32)


def _integers(*shape: int) -> np.ndarray:
    return _RNG.integers(-127, 128, shape).astype(np.int8)


def opset_9() -> onnx.ModelProto:
    """Attributes that became inputs, Upsample, and Softmax over several axes."""
    nodes = """c = Conv <pads = [1, 1, 1, 1]> (input, w) n = BatchNormalization (c, g, g, g, g)
        s = Slice <starts = [0], ends = [2], axes = [1]> (n) u = Upsample <mode = "nearest"> (s, scales)
        k = Clip <min = 0.0> (u) p = Pad <pads = [0, 0, 1, 1, 0, 0, 1, 1]> (k) d = Dropout <ratio = 0.5> (p)
        m = Softmax (d) f = Flatten (m) a, b = Split <axis = 1, split = [100, 236]> (f)
        z = ReduceSum <axes = [1]> (a) y = Squeeze <axes = [0]> (z) output = Unsqueeze <axes = [0]> (y)"""
    constants = {"w": _floats(4, 4, 3, 3), "g": np.abs(_floats(4)), "scales": np.array([1, 1, 2, 2], np.float32)}
    return model(nodes, constants, opset=9, outputs="float output")


def opset_6() -> onnx.ModelProto:
    """Broadcasts along an axis."""
    nodes = """c = Conv (input, w) a = Add <axis = 1, broadcast = 1> (c, g) m = Mul <broadcast = 1> (a, s)
        r = PRelu (m, g) h = Reshape (r, sizes) o = Gemm <broadcast = 1, transB = 1> (h, v, b)
        output = Cast <to = 1> (o)
    """
    constants = {"w": _floats(4, 4, 3, 3), "g": _floats(4), "s": _floats(4, 3), "v": _floats(5, 48), "b": _floats(5)}
    constants["sizes"] = np.array([1, 48])
    return model(nodes, constants, opset=6, outputs="float output")


def quantized() -> onnx.ModelProto:
    """Quantized operators of ONNX and of onnxruntime's domain."""
    nodes = """q = QuantizeLinear (input, s, z) c = QLinearConv <pads = [1, 1, 1, 1]> (q, s, z, w, ws, wz, s, z, b)
        p = MaxPool <kernel_shape = [2, 2]> (c) a = com.microsoft.QLinearAdd (p, s, z, p, s, z, s, z)
        l = com.microsoft.QLinearLeakyRelu <alpha = 0.1> (a, s, z, s, z)
        k = com.microsoft.QLinearConcat <axis = 0> (s, z, l, s, z) d = DequantizeLinear (k, s, z)
        vd = DequantizeLinear (v, vs, vz) e = com.microsoft.FusedConv <activation = "Relu"> (d, vd)
        dq, ds, dz = DynamicQuantizeLinear (e) i = ConvInteger (dq, y, dz) f = Cast <to = 1> (i)
        output = Mul (f, ds)"""
    constants = {
        "s": np.float32(0.03),
        "z": np.uint8(128),
        "w": _integers(8, 4, 3, 3),
        "ws": np.abs(_floats(8)) / 50,
        "wz": np.zeros(8, np.int8),
        "b": _integers(8).astype(np.int32),
        "v": _integers(5, 8, 1, 1),
        "vs": np.float32(0.01),
        "vz": np.int8(0),
        "y": _integers(3, 5, 1, 1),
    }
    built = model(nodes, constants, outputs="float output")
    built.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return built


def half() -> onnx.ModelProto:
    """float16, with a part in float32."""
    nodes = "c = Conv (input, w) f = Cast <to = 1> (c) r = Relu (f) h = Cast <to = 10> (r) output = Mul (h, k)"
    constants = {"w": _floats(4, 4, 3, 3).astype(np.float16), "k": np.float16(0.5)}
    return model(nodes, constants, inputs="float16[1,4,6,5] input", outputs="float16 output")


def branches() -> onnx.ModelProto:
    """A Loop of three runs, and an If behind it."""
    body = model("go = Identity (on) f = Cast <to = 1> (i) w = Add (v, f) m = ReduceMax <keepdims = 0> (w)").graph
    values = [("i", TensorProto.INT64, []), ("on", TensorProto.BOOL, []), ("v", TensorProto.FLOAT, None)]
    inputs = [helper.make_tensor_value_info(name, element, shape) for name, element, shape in values]
    results = [helper.make_empty_tensor_value_info(name) for name in ("go", "w", "m")]
    loop = helper.make_graph(body.node, "body", inputs, results)
    ways = [
        helper.make_graph([helper.make_node(op, ["looped"], [op])], op, [], [helper.make_empty_tensor_value_info(op)])
        for op in ("Relu", "Neg")
    ]
    nodes = """n = Constant <value_int = 3> () s = Shape (input) most = ReduceMax <keepdims = 0> (s)
        t = Cast <to = 9> (most)"""
    built = model(nodes, outputs="float output, float maxima")
    built.graph.node.append(helper.make_node("Loop", ["n", "", "input"], ["looped", "maxima"], body=loop))
    built.graph.node.append(helper.make_node("If", ["t"], ["output"], then_branch=ways[0], else_branch=ways[1]))
    return built


FORMS = (opset_9, opset_6, quantized, half, branches)
