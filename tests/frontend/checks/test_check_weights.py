from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_weights import check_weights
from tests.support.networks.onnx_models import model

FINITE = np.float32([[1, 3.4e38], [-3.4e38, 1e-45]])


def weights(*values: float) -> np.ndarray:
    return np.concatenate([FINITE.ravel(), np.float32(values)]).reshape(-1, 1)


@pytest.mark.parametrize(
    ("nodes", "value"),
    [
        ("output = MatMul (input, w)", FINITE),
        ("output = Max (input, w)", weights(np.inf, np.nan)),
        ("output = Add (input, w)", weights(-np.inf)),
        ("output = Conv (input, w)", np.zeros((1, 0), np.float32)),
        ("output = MatMul (input, w)", np.array([1, 2], np.int64)),
    ],
)
def test_what_is_taken(nodes, value):
    check_weights(model(nodes, {"w": value}))


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose", "Gemm", "MatMul"])
@pytest.mark.parametrize(("found", "word"), [(np.nan, "NaN"), (np.inf, "infinities"), (-np.inf, "infinities")])
def test_weights_that_are_no_numbers_are_named(op, found, word):
    built = model(f"output = {op} (input, w)", {"w": weights(found)})
    built.graph.node[0].name = "trunk/first"
    with pytest.raises(InputError, match=rf"weights 'w' of node 'trunk/first' \({op}\) hold {word}: the training dive"):
        check_weights(built)


def test_weights_on_the_left_are_weights():
    with pytest.raises(InputError, match="hold NaN"):
        check_weights(model("output = MatMul (w, input)", {"w": weights(np.nan)}))
