"""Poolings with auto_pad, for which TVM's converters compute a wrong shape, equal onnxruntime's."""

from onnx import helper

from tests.support.networks.operators import assert_agree, operators_model
from tests.support.passes.relax_functions import random_input

X = random_input((1, 3, 7, 6))


def test_equals_onnxruntime(tmp_path):
    window = {"kernel_shape": [3, 2], "strides": [2, 2]}
    nodes = {
        f"{op}_{mode}": (op, ["h"], {"auto_pad": mode, **window})
        for op in ("MaxPool", "AveragePool", "LpPool")
        for mode in ("SAME_UPPER", "SAME_LOWER", "VALID")
    }
    nodes |= {
        "ceiling": ("MaxPool", ["h"], {**window, "ceil_mode": 1}),
        "padded": ("AveragePool", ["h"], {**window, "pads": [1, 0, 1, 1], "count_include_pad": 1}),
        "dilated": ("MaxPool", ["h"], {**window, "dilations": [2, 2]}),
    }
    before = [helper.make_node("Conv", ["x", "c"], ["h"])]
    model = operators_model(nodes, {"x": X}, {"c": random_input((4, 3, 1, 1), 1)}, before=before)
    assert_agree(tmp_path, model, {"x": X})
