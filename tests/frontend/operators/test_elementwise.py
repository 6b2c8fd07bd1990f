"""Elementwise operators for all kinds of floats, as ONNX defines them."""

import numpy as np
import pytest

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.import_onnx import import_onnx
from tests.support.networks.onnx_models import save
from tests.support.networks.operators import compiled, operators_model

X = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e-40, 0.5, -0.5, 3, -3, 88, -88], np.float32)
CONSTANTS = {"zero": np.float32(0), "six": np.float32(6), "nan": np.float32(np.nan), "slope": np.float32([0.25])}
CONSTANTS |= {"rows": np.array([2, 1]), "one": np.array([1])}
NODES = {
    "relu": ("Relu", ["x"], {}),
    "clip": ("Clip", ["x", "zero", "six"], {}),
    "clip_without_bounds": ("Clip", ["x", "", "nan"], {}),
    "max": ("Max", ["x", "zero", "six"], {}),
    "min": ("Min", ["x", "zero"], {}),
    "max_of_two": ("Max", ["x", "reversed"], {}),
    "prelu": ("PRelu", ["x", "slope"], {}),
    "leaky": ("LeakyRelu", ["x"], {"alpha": 0.25}),
    "hard_sigmoid": ("HardSigmoid", ["x"], {}),
    "elu": ("Elu", ["x"], {"alpha": 0.5}),
    "selu": ("Selu", ["x"], {"gamma": 2.0, "alpha": 0.5}),
    "selu_of_double": ("Selu", ["double"], {}),
    "sign_of_double": ("Sign", ["double"], {}),
    "sum": ("Sum", ["x", "six", "six"], {}),
    "positive_infinity": ("IsInf", ["x"], {"detect_negative": 0}),
    "negative_infinity": ("IsInf", ["x"], {"detect_positive": 0}),
    "infinity": ("IsInf", ["x"], {}),
    "elu_of_half": ("Elu", ["half"], {}),
    "expand": ("Expand", ["x", "rows"], {}),
    "expand_by_less": ("Expand", ["x", "one"], {}),
}
EXPECTED = {
    "relu": np.maximum(X, 0),
    "clip": np.clip(X, 0, 6),
    "clip_without_bounds": X,
    "max": np.maximum(X, 6),
    "min": np.minimum(X, 0),
    "max_of_two": np.maximum(X, X[::-1]),
    "prelu": np.where(X < 0, X / 4, X),
    "leaky": np.where(X < 0, X / 4, X),
    "hard_sigmoid": np.clip(X * np.float32(0.2) + np.float32(0.5), 0, 1),
    "elu": np.where(X < 0, np.expm1(np.minimum(X, 0)) / 2, X),
    "selu": np.where(X < 0, np.expm1(np.minimum(X, 0)), 2 * X),
    "selu_of_double": 1.05070098 * np.where(X < 0, 1.67326324 * np.expm1(np.minimum(X, 0)), X).astype(np.float64),
    "sign_of_double": np.sign(X).astype(np.float64),
    "sum": X + 12,
    "positive_infinity": np.isposinf(X),
    "negative_infinity": np.isneginf(X),
    "infinity": np.isinf(X),
    "expand": np.stack([X, X]),
    "expand_by_less": X,
    "elu_of_half": np.where(X < 0, np.expm1(np.minimum(X, 0)), X).astype(np.float16),
}


def test_nan_and_infinities_follow_onnx(tmp_path):
    """https://github.com/apache/tvm/issues/19572 and 19543 are about NaN that becomes a number."""
    inputs = {"x": X, "reversed": X[::-1].copy(), "half": X.astype(np.float16), "double": X.astype(np.float64)}
    nodes = {f"y_{name}": node for name, node in NODES.items()}
    found = compiled(tmp_path, operators_model(nodes, inputs, CONSTANTS, opset=20), inputs)
    for name, expected in EXPECTED.items():
        tolerance = 2e-3 if expected.dtype == np.float16 else 1e-5
        assert found[f"y_{name}"].dtype == expected.dtype
        np.testing.assert_allclose(found[f"y_{name}"], expected, rtol=tolerance, atol=tolerance / 10, err_msg=name)


def test_a_mask_of_dropout(tmp_path):
    model = operators_model({"y": ("Dropout", ["x"], {})}, {"x": X})
    model.graph.node[0].output.append("mask")
    model.graph.output.add().name = "mask"
    found = compiled(tmp_path, model, {"x": X})
    np.testing.assert_array_equal(found["y"], X)
    assert found["mask"].dtype == bool and found["mask"].all()


@pytest.mark.parametrize(
    ("node", "match"),
    [
        (("Dropout", ["x", "", "yes"], {}), r"dropout in training mode"),
        (("Cast", ["x"], {"to": 16}), "is of type bfloat16"),
        (("Cast", ["x"], {"to": 17}), "is of type float8e4m3fn"),
        (("Expand", ["x", "s"], {}), "the shape of its output depends on values"),
    ],
)
def test_what_is_refused(node, match, tmp_path):
    model = operators_model({"y": node}, {"x": X, "s": np.array([3, 1])}, {"yes": np.array(True)}, opset=19)
    with pytest.raises(UnsupportedError, match=match):
        import_onnx(save(tmp_path, model))
