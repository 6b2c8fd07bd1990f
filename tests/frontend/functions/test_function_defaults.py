"""Functions with defaults of their attributes."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.frontend.read_onnx import load_model
from tests.support.networks.onnx_models import model, save
from tests.support.networks.same_results import image, run

FUNCTIONS = """
<domain: "b2nn", opset_import: ["" : 18]>
Leaky <slope: float = 0.3> (x) => (y) { y = LeakyRelu <alpha: float = @slope> (x) }
<domain: "b2nn", opset_import: ["" : 18, "b2nn" : 1]>
Twice (x) => (y) { a = b2nn.Leaky (x) b = Neg (a) y = b2nn.Leaky <slope = 0.5> (b) }
"""


@pytest.mark.parametrize("call", ["b2nn.Leaky (input)", "b2nn.Leaky <slope = 0.2> (input)", "b2nn.Twice (input)"])
def test_what_a_call_leaves_out(tmp_path, call):
    built = model(f"output = {call}", functions=FUNCTIONS)
    found = load_model(save(tmp_path, built))
    assert {node.domain for node in found.graph.node} == {""}
    np.testing.assert_array_equal(run(found, image())[0], run(built, image())[0])
