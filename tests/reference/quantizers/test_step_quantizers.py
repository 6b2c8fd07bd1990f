"""Scales that are computed at run time, and thresholds per channel; test_expand_quantizers.py has the formulas."""

import numpy as np

from b2nn_tvm.reference.quantizers.expand_quantizers import expand_quantizers
from tests.support.networks.onnx_models import model, onnxruntime_output, save

X = np.random.default_rng(0).standard_normal((1, 4, 6, 5)).astype(np.float32)


def test_a_bipolar_quantizer_whose_scale_is_computed_at_run_time(tmp_path):
    nodes = "a = Abs (input) s = ReduceMax (a) output = qonnx.custom_op.general.BipolarQuant (input, s)"
    built = model(nodes)
    expand_quantizers(built)
    expected = np.where(X >= 0, 1, -1) * np.abs(X).max()
    np.testing.assert_array_equal(onnxruntime_output(save(tmp_path, built), X), expected)


def test_opposite_values_by_channel_are_a_sign_and_a_scale(tmp_path):
    high = np.float32([1, 2, 0.5, 3]).reshape(1, 4, 1, 1)
    limits = {"t": high / 4, "low": -high, "high": high}
    built = model("output = a.FakeQuantize <levels = 2> (input, t, t, low, high)", limits)
    built.graph.node[0].domain = "org.openvinotoolkit"
    expand_quantizers(built)
    assert [node.op_type for node in built.graph.node if node.op_type != "Constant"] == [
        "GreaterOrEqual",
        "Where",
        "Mul",
    ]
    expected = np.where(limits["t"] < X, high, -high)
    np.testing.assert_array_equal(onnxruntime_output(save(tmp_path, built), X), expected)
