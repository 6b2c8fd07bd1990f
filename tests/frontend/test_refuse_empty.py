"""Values without elements are refused at import, and so are sizes below 0."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.errors import B2nnError
from b2nn_tvm.frontend.import_onnx import import_onnx
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import Network

IMAGE = "float[1,4,3,3] input"


@pytest.mark.parametrize(
    "nodes",
    [
        "output = Conv (input, w)",
        "a = Conv <dilations = [3, 3]> (input, v) output = Relu (a)",
        "output = MaxPool <kernel_shape = [4, 4]> (input)",
        "output = AveragePool <kernel_shape = [5, 1]> (input)",
        "output = Slice (input, three, three, two)",
        "output = Shape <start = 3, end = 1> (input)",
    ],
)
def test_what_has_no_elements_is_refused(tmp_path, nodes):
    constants = {"w": (5, 4, 4, 4), "v": (5, 4, 2, 2), "three": np.array([3]), "two": np.array([2])}
    with pytest.raises(B2nnError) as caught:
        import_onnx(save(tmp_path, Network(nodes, constants, IMAGE).build()))
    assert "\n" not in str(caught.value)


def test_what_has_one_is_not(tmp_path):
    nodes = "a = Conv (input, w) output = MaxPool <kernel_shape = [1, 1]> (a)"
    import_onnx(save(tmp_path, Network(nodes, {"w": (5, 4, 3, 3)}, IMAGE).build()))
