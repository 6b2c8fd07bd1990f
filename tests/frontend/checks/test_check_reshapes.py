from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_reshapes import check_reshapes
from tests.support.networks.onnx_models import model

SHAPES = {"input": (4, 8, 6, 6)}


@pytest.mark.parametrize("wanted", [[-1, 288], [4, 288], [0, -1], [0, 0, 36], [4, 0, 36], [1152]])
def test_what_holds_the_elements(wanted):
    check_reshapes(model("output = Reshape (input, s)").graph.node, SHAPES, {"s": np.array(wanted)})


@pytest.mark.parametrize(
    ("wanted", "text"), [([1, 288], "1x288"), ([-1, 7], "-1x7"), ([0, 0, 35], "4x8x35"), ([-1, 0, 5], "-1x8x5")]
)
def test_a_batch_that_the_file_fixes_is_named(wanted, text):
    built = model("output = Reshape (input, s)")
    built.graph.node[0].name = "flatten"
    with pytest.raises(InputError, match=f"node 'flatten' .* makes 4x8x6x6 into {text}, as the file says"):
        check_reshapes(built.graph.node, SHAPES, {"s": np.array(wanted)})


@pytest.mark.parametrize("nodes", ["output = Reshape <allowzero = 1> (input, s)", "output = Reshape (other, s)"])
def test_what_is_not_known_is_left_alone(nodes):
    check_reshapes(model(nodes).graph.node, SHAPES, {"s": np.array([1, 288])})
