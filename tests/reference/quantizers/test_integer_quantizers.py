"""Per-channel scales; test_expand_quantizers.py has the formulas for one scale."""

import numpy as np
import pytest

from b2nn_tvm.reference.quantizers.expand_quantizers import expand_quantizers
from tests.support.networks.onnx_models import model, onnxruntime_output, save

SCALE = np.float32([0.5, 2, 3, 0.1]).reshape(1, 4, 1, 1)


@pytest.mark.parametrize("bits", [1, 3])
def test_a_scale_for_each_channel(bits, tmp_path):
    node = "output = qonnx.custom_op.general.Quant <signed = 1, narrow = 1> (input, s, z, b)"
    built = model(node, {"s": SCALE, "z": np.float32(0), "b": np.float32(bits)})
    expand_quantizers(built)
    x = np.random.default_rng(0).standard_normal((1, 4, 6, 5)).astype(np.float32) * 4
    expected = np.where(x >= 0, SCALE, -SCALE) if bits == 1 else np.round(np.clip(x / SCALE, -3, 3)) * SCALE
    np.testing.assert_array_equal(onnxruntime_output(save(tmp_path, built), x), expected)
