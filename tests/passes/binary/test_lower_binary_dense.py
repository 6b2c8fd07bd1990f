import numpy as np
import pytest
import tvm
from tvm import relax
from tvm.relax import op

from b2nn_tvm.passes.binary.lower_binary_dense import LowerBinaryDense
from tests.support.passes.relax_functions import run

ROWS, INPUTS, OUTPUTS = 2, 33, 5
RNG = np.random.default_rng(0)
SIGNS = np.where(RNG.standard_normal((INPUTS, OUTPUTS)) >= 0, 1, -1).astype(np.float32)
ALPHA = RNG.uniform(0.5, 2, OUTPUTS).astype(np.float32)
THRESHOLD = RNG.standard_normal((1, INPUTS)).astype(np.float32)


def network(weight, *, threshold=False, signed=True):
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((ROWS, INPUTS), "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            value = builder.emit(op.subtract(x, relax.const(THRESHOLD))) if threshold else x
            value = builder.emit(op.sign(value)) if signed else value
            result = builder.emit_output(op.matmul(value, relax.const(weight)))
        builder.emit_func_output(result)
    return builder.get()


@pytest.mark.parametrize("threshold", [False, True])
@pytest.mark.parametrize("alpha", [ALPHA, np.ones(OUTPUTS, np.float32)])
def test_a_dense_layer_of_signs_is_a_convolution_of_one_pixel(threshold, alpha):
    before = network(SIGNS * alpha, threshold=threshold)
    after = LowerBinaryDense()(before)
    text = after.script()
    assert "R.nn.conv2d" in text and "R.matmul" not in text
    assert ("R.multiply" in text) == (alpha is ALPHA)
    x = RNG.standard_normal((ROWS, INPUTS)).astype(np.float32)
    x[0, 0] = 0
    np.testing.assert_allclose(run(after, x), run(before, x), rtol=1e-6)


@pytest.mark.parametrize(
    "module",
    [network(SIGNS * ALPHA, signed=False), network(RNG.standard_normal((INPUTS, OUTPUTS)).astype(np.float32))],
    ids=["its input is no sign", "its weights have several magnitudes"],
)
def test_other_dense_layers_stay(module):
    tvm.ir.assert_structural_equal(LowerBinaryDense()(module), module)
