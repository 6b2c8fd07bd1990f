"""Scatters to known places, as onnxruntime computes them."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.frontend.import_onnx import import_onnx
from tests.support.networks.onnx_models import save
from tests.support.networks.operators import assert_agree, operators_model
from tests.support.passes.relax_functions import random_input

X = random_input((2, 6, 5))
CONSTANTS = {
    "slices": np.array([[0, -1], [1, 2]]),
    "elements": np.array([[[0, 1, -1, 3], [-5, -1, 4, 0]], [[0, 0, -1, 3], [-5, -1, 4, 0]]]),
    "again": np.array([[0, 1], [1, 5], [0, 1], [-2, -5], [0, 0]]),
    "whole": np.array([[1]]),
    "rows": np.array([[[2, -1, 0, 1, 5]], [[3, 3, 3, 0, -6]]]),
    "codes": np.arange(12).reshape(2, 6),
    "few": np.array([70, 80]),
}
UPDATES = {
    name: random_input(shape, seed=number)
    for number, (name, shape) in enumerate(
        {
            "u_slices": (2, 5),
            "u_elements": (2, 2, 4),
            "u_again": (5, 5),
            "u_whole": (1, 6, 5),
            "u_rows": (2, 1, 5),
        }.items()
    )
}
NODES = {
    "nd": ("ScatterND", ["x", "slices", "u_slices"], {}),
    "nd_whole": ("ScatterND", ["x", "whole", "u_whole"], {}),
    "nd_integers": ("ScatterND", ["codes", "slices", "few"], {}),
    "along": ("ScatterElements", ["x", "elements", "u_elements"], {"axis": -1}),
    "along_rows": ("ScatterElements", ["x", "rows", "u_rows"], {"axis": 1, "reduction": "add"}),
    **{
        f"nd_{word}": ("ScatterND", ["x", "again", "u_again"], {"reduction": word})
        for word in ("add", "mul", "max", "min")
    },
}


def test_equals_onnxruntime(tmp_path):
    assert_agree(tmp_path, operators_model(NODES, {"x": X, **UPDATES}, CONSTANTS), {"x": X, **UPDATES})


@pytest.mark.parametrize(
    ("indices", "reduction", "error", "text"),
    [
        ([[0, 6]], "none", InputError, "but others came"),
        ([[-3, 0]], "add", InputError, "but others came"),
        ([[0, 0]] * 17, "add", UnsupportedError, "updated more than 16 times"),
    ],
)
def test_refused(indices, reduction, error, text, tmp_path):
    nodes = {"y": ("ScatterND", ["x", "indices", "u"], {"reduction": reduction})}
    constants = {"indices": np.array(indices), "u": np.ones((len(indices), 5), np.float32)}
    with pytest.raises(error, match=text):
        import_onnx(save(tmp_path, operators_model(nodes, {"x": X}, constants)))


def test_places_that_are_computed_are_refused(tmp_path):
    inputs = {"x": X, "indices": np.array([[0, 1]]), "u": X[0, :1]}
    with pytest.raises(UnsupportedError, match="ScatterND"):
        import_onnx(save(tmp_path, operators_model({"y": ("ScatterND", list(inputs), {})}, inputs)))
