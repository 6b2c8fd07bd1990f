"""Normalizations behind a convolution, along any axes, as onnxruntime computes them."""

import numpy as np
import pytest
from onnx import helper

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.import_onnx import import_onnx
from tests.support.networks.onnx_models import save
from tests.support.networks.operators import assert_agree, by_onnxruntime, compiled, operators_model
from tests.support.passes.relax_functions import random_input

X = random_input((2, 3, 4, 5))
CONSTANTS = {
    "c": random_input((6, 3, 1, 1), 1),
    "w": random_input((5,), 2),
    "hw": random_input((4, 5), 3),
    "chw": random_input((6, 4, 5), 4),
    "c11": random_input((6, 1, 1), 5),
    "one": random_input((1,), 6),
    "gamma": random_input((6,), 7),
    "variance": np.abs(random_input((6,), 8)) + 0.5,
}
LAYER = "LayerNormalization"
NODES = {
    "last": (LAYER, ["h", "w", "w"], {"axis": -1}),
    "image": (LAYER, ["h", "hw", "hw"], {"axis": -2, "epsilon": 0.5}),
    "all": (LAYER, ["h", "chw", "chw"], {"axis": 1}),
    "all_from_the_end": (LAYER, ["h", "chw"], {"axis": -3}),
    "broadcast": (LAYER, ["h", "w"], {"axis": 1}),
    "per_channel": (LAYER, ["h", "c11", "c11"], {"axis": 1}),
    "one_scale": (LAYER, ["h", "one", "hw"], {"axis": 2}),
    "batch": ("BatchNormalization", ["h", "gamma", "gamma", "gamma", "variance"], {"epsilon": 0.5}),
    **{f"lengths_{axis}": ("LpNormalization", ["h"], {"axis": axis}) for axis in (1, -1)},
    "sums": ("LpNormalization", ["z"], {"axis": -3, "p": 1}),
    "zeros": ("LpNormalization", ["z"], {"axis": 2}),
    "instance": ("InstanceNormalization", ["h", "gamma", "gamma"], {}),
}


def test_equals_onnxruntime(tmp_path):
    nodes = {f"y_{name}": node for name, node in NODES.items()}
    before = [helper.make_node("Conv", ["x", "c"], ["h"]), helper.make_node("Relu", ["h"], ["z"])]
    assert_agree(tmp_path, operators_model(nodes, {"x": X}, CONSTANTS, before=before), {"x": X})


def test_the_mean_and_the_deviation(tmp_path):
    model = operators_model({"y": (LAYER, ["x", "w"], {})}, {"x": X}, CONSTANTS)
    model.graph.node[0].output.extend(["mean", "deviation"])
    for name in ("mean", "deviation"):
        model.graph.output.add().name = name
    found, expected = compiled(tmp_path, model, {"x": X}), by_onnxruntime(model, {"x": X})
    for name in ("y", "mean", "deviation"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5)


def test_rms_normalization_over_all_axes(tmp_path):
    nodes = {
        "all": ("RMSNormalization", ["x", "scale"], {"axis": 0, "epsilon": 0.5}),
        "image": ("RMSNormalization", ["x", "hw"], {"axis": -2}),
    }
    scales = {"scale": random_input(X.shape, 9), "hw": random_input((4, 5), 10)}
    found = compiled(tmp_path, operators_model(nodes, {"x": X}, scales, opset=23), {"x": X})
    np.testing.assert_allclose(found["all"], X / np.sqrt((X**2).mean() + 0.5) * scales["scale"], rtol=1e-4, atol=1e-5)
    image = X / np.sqrt((X**2).mean((2, 3), keepdims=True) + 1e-5) * scales["hw"]
    np.testing.assert_allclose(found["image"], image, rtol=1e-4, atol=1e-5)


def test_batch_norm_in_training_mode_is_refused(tmp_path):
    inputs = ["x", *["gamma"] * 4]
    model = operators_model({"y": ("BatchNormalization", inputs, {"training_mode": 1})}, {"x": X}, CONSTANTS)
    with pytest.raises(UnsupportedError, match=r"model.eval\(\)"):
        import_onnx(save(tmp_path, model))
