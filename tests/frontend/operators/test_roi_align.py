import numpy as np
import pytest

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.import_onnx import import_onnx
from tests.support.networks.onnx_models import save
from tests.support.networks.operators import assert_agree, operators_model
from tests.support.passes.relax_functions import random_input

INPUTS = {
    "x": random_input((1, 2, 8, 8)),
    "rois": np.array([[0, 0, 4, 4], [1, 2, 7, 6]], np.float32),
    "batch": np.array([0, 0]),
}
SIZES = {"output_height": 3, "output_width": 2, "sampling_ratio": 2}


def model_of(mode):
    return operators_model({"y": ("RoiAlign", list(INPUTS), {"mode": mode, **SIZES})}, INPUTS)


def test_averages_equal_onnxruntime(tmp_path):
    assert_agree(tmp_path, model_of("avg"), INPUTS)


def test_maxima_are_refused(tmp_path):
    with pytest.raises(UnsupportedError, match="its mode max has no kernel"):
        import_onnx(save(tmp_path, model_of("max")))
