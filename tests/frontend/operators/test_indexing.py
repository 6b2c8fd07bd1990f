"""Gathers by indices from either end, constant or not, and OneHot, as onnxruntime computes them."""

import numpy as np
import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.import_onnx import import_onnx
from tests.support.networks.onnx_models import save
from tests.support.networks.operators import assert_agree, compiled, operators_model
from tests.support.passes.relax_functions import random_input

X = random_input((2, 6, 5))
INDICES = {
    "along": np.array([[-1, 0], [3, -6]]),
    "elements": np.array([[[-1], [0], [-5], [2], [-2], [1]]] * 2),
    "rows": np.array([[0, -1], [-1, 2], [1, -6]]),
    "batched": np.array([[[-1, 0], [5, -2]], [[0, 4], [-6, -5]]]),
    "bits": np.array([[0, 1, -1, -2, 1]]),
    "hot": np.array([[0, 2, -1, 4, -4, -5]]),
}
NODES = {
    "gather": ("Gather", ["x", "along"], {"axis": -2}),
    "gather_elements": ("GatherElements", ["x", "elements"], {"axis": -1}),
    "gather_nd": ("GatherND", ["x", "rows"], {}),
    "gather_nd_batched": ("GatherND", ["x", "batched"], {"batch_dims": 1}),
    "table": ("Gather", ["table", "along"], {"axis": -1}),
    "signs": ("Gather", ["signs", "bits"], {}),
    "one_hot": ("OneHot", ["hot", "depth", "values"], {}),
    "one_hot_first": ("OneHot", ["hot", "depth", "values"], {"axis": 0}),
}
CONSTANTS = {
    "table": random_input((6,)),
    "signs": np.array([-1, 1], np.float32),
    "depth": np.array(4),
    "values": np.array([0.5, 2], np.float32),
}


@pytest.mark.parametrize("constant", [False, True])
def test_equals_onnxruntime(constant, tmp_path):
    """https://github.com/apache/tvm/issues/19531, 19436 and 20217 are about indices that count from the end."""
    inputs = {"x": X} if constant else {"x": X, **INDICES}
    nodes = {f"y_{name}": node for name, node in NODES.items() if not (constant and name.startswith("one_hot"))}
    model = operators_model(nodes, inputs, {**CONSTANTS, **(INDICES if constant else {})})
    assert_agree(tmp_path, model, inputs)


def test_indices_outside_read_what_is_inside(tmp_path):
    """No library reads memory that is not its own."""
    far = np.array([2**40, -(2**40), 6, -7, 5])
    inputs = {"x": X, "far": far}
    nodes = {
        "gathered": ("Gather", ["x", "far"], {"axis": 1}),
        "nd": ("GatherND", ["x", "rows"], {}),
        "elements": ("GatherElements", ["x", "wide"], {"axis": 1}),
    }
    inputs |= {"rows": np.array([[9, 9], [-9, -9]]), "wide": np.full((2, 3, 5), -100)}
    found = compiled(tmp_path, operators_model(nodes, inputs), inputs)
    np.testing.assert_array_equal(found["gathered"], X[:, [5, 0, 5, 0, 5]])
    np.testing.assert_array_equal(found["nd"], [X[1, 5], X[0, 0]])
    np.testing.assert_array_equal(found["elements"], np.repeat(X[:, :1], 3, 1))


def test_a_constant_index_outside_is_refused(tmp_path):
    model = operators_model({"y": ("Gather", ["x", "i"], {"axis": 1})}, {"x": X}, {"i": np.array([0, 6])})
    with pytest.raises(InputError, match="its indices lie between -6 and 5, but 0 to 6 came"):
        import_onnx(save(tmp_path, model))
