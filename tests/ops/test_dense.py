"""The scheduled dense layer agrees with a float64 product within the rounding of float32 sums."""

import numpy as np
import pytest
from tvm import te, topi

from b2nn_tvm.ops.dense import dense, pack_dense_weights
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from tests.support.ops import float64
from tests.support.ops.scheduled import compile_tensors


@pytest.mark.in_turn("target")
@pytest.mark.parametrize(
    ("batch", "inputs", "outputs"), [(1, 1, 1), (1, 3, 33), (1, 64, 10), (3, 31, 65), (3, 65, 31), (1, 512, 1000)]
)
def test_agrees_with_float64(batch, inputs, outputs, target):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, inputs)).astype(np.float32)
    weight = rng.standard_normal((inputs, outputs)).astype(np.float32)
    bias = rng.standard_normal((1, outputs)).astype(np.float32)
    packed = pack_dense_weights(weight, lanes=vector_unit_named(target.vector).layout.conv_lanes(outputs))
    data, filters, shift = (te.placeholder(a.shape, name=n) for n, a in (("x", x), ("w", packed), ("b", bias)))
    run = compile_tensors([data, filters, shift, topi.add(dense(data, filters, outputs=outputs), shift)], target)
    result = run(x, packed, bias)
    wide = x.astype(np.float64), weight.astype(np.float64)
    expected = wide[0] @ wide[1] + bias
    magnitude = np.abs(wide[0]) @ np.abs(wide[1]) + np.abs(bias)
    assert result.shape == (batch, outputs)
    assert (np.abs(result - expected) <= float64.rounding(magnitude, inputs + 1)).all()


def test_absent_outputs_are_zero():
    weight = np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    packed = pack_dense_weights(weight, lanes=4)
    np.testing.assert_array_equal(packed, [[[1, 2, 3, 0], [4, 5, 6, 0]]])
