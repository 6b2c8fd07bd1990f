"""Whole quantized networks, from the file to the library."""

from __future__ import annotations

import numpy as np
from onnx import helper

from b2nn_tvm import compile_model
from b2nn_tvm.frontend.quantized.expand_quantized import expand_quantized
from b2nn_tvm.frontend.read_onnx import load_model
from tests.support.networks.onnx_models import model, onnxruntime_output, save
from tests.support.networks.same_results import assert_same, image

RNG = np.random.default_rng(0)


def test_integers_between_two_operators_are_whole_numbers_in_float():
    nodes = """q = QuantizeLinear (input, s, z) p = MaxPool <kernel_shape = [2, 2]> (q)
        t = Transpose <perm = [0, 2, 3, 1]> (p) a, b = Split <axis = 3, num_outputs = 2> (t)
        c = Concat <axis = 3> (b, a) output = DequantizeLinear (c, s, z)"""
    constants = {"s": np.float32(0.02), "z": np.uint8(128)}
    after = assert_same(model(nodes, constants, outputs="float output, uint8 p"), expand_quantized, image())
    (pool,) = (node for node in after.graph.node if node.op_type == "MaxPool")
    assert pool.input[0].endswith("clipped")


def test_indices_of_a_pooling_are_no_whole_numbers_in_float():
    nodes = """q = QuantizeLinear (input, s, z) p, i = MaxPool <kernel_shape = [2, 2]> (q)
        output = DequantizeLinear (p, s, z)"""
    constants = {"s": np.float32(0.02), "z": np.uint8(128)}
    assert_same(model(nodes, constants, outputs="float output, int64[1,4,5,4] i"), expand_quantized, image())


def test_types_behind_operators_of_other_domains_are_those_of_their_zero_points():
    nodes = """a = com.microsoft.QLinearAdd (input, s, z, input, s, z, s, z)
        output = MaxPool <kernel_shape = [2, 2]> (a)"""
    constants = {"s": np.float32(0.02), "z": np.int8(5)}
    built = model(nodes, constants, inputs="int8[1,4,6,5] input", outputs="int8 output")
    built.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    assert_same(built, expand_quantized, RNG.integers(-128, 128, (1, 4, 6, 5)).astype(np.int8), tolerance=1)


def test_a_file_without_quantized_operators_is_left_alone():
    built = model("output = Relu (input)")
    before = built.SerializeToString()
    expand_quantized(built)
    assert built.SerializeToString() == before


def test_a_quantized_network_with_a_binary_layer(tmp_path):
    """QLinearConv, QDQ weights and a binary layer behind them; layers keep the names of the file."""
    constants = {
        "s": np.float32(0.03),
        "z": np.uint8(128),
        "wz": np.zeros(32, np.int8),
        "half": np.float32(0.5),
        "w": RNG.integers(-127, 128, (32, 4, 3, 3)).astype(np.int8),
        "ws": RNG.uniform(0.005, 0.01, 32).astype(np.float32),
        "b": np.where(RNG.standard_normal((8, 32, 3, 3)) >= 0, 1, -1).astype(np.float32),
        "v": RNG.integers(-127, 128, (5, 8, 1, 1)).astype(np.int8),
        "vs": np.float32(0.01),
        "vz": np.int8(0),
        "zero": np.float32(0),
        "one": np.float32(1),
        "minus": np.float32(-1),
    }
    nodes = """q = QuantizeLinear (input, s, z) c = QLinearConv <pads = [1, 1, 1, 1]> (q, s, z, w, ws, wz, s, z)
        d = DequantizeLinear (c, s, z) k = GreaterOrEqual (d, zero) g = Where (k, one, minus)
        e = Conv <pads = [1, 1, 1, 1]> (g, b) vd = DequantizeLinear (v, vs, vz) output = Conv (e, vd)"""
    built = model(nodes, constants, outputs="float output")
    for node, name in zip((built.graph.node[index] for index in (1, 5, 7)), ("stem", "middle", "head")):
        node.name = name
    path = save(tmp_path, built)
    assert {"stem", "middle", "head"} <= {node.name for node in load_model(path).graph.node}
    x = image()
    with compile_model(path, output=tmp_path / "library", verify=False) as artifact:
        rows = {row.name: row.precision for row in artifact.layers if row.op == "conv2d"}
        got = artifact.run({"input": x})["output"]
    assert rows == {"stem": "int8", "middle": "binary", "head": "float"}
    np.testing.assert_allclose(got, onnxruntime_output(path, x), rtol=1e-4, atol=1e-3)


def test_constants_of_nodes_are_known():
    """Files of other tools keep scales in Constant nodes."""
    nodes = """s = Constant <value = float {0.02}> () z = Constant <value = uint8 {128}> ()
        q = QuantizeLinear (input, s, z) output = DequantizeLinear (q, s, z)"""
    after = assert_same(model(nodes, outputs="float output"), expand_quantized, image())
    scale = after.graph.node[-1].input[1]
    assert any(node.op_type == "Constant" and scale in node.output for node in after.graph.node)
