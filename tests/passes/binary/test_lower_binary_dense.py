import numpy as np
import pytest
import tvm
from tvm import relax
from tvm.relax import op

from b2nn_tvm.passes.binary.lower_binary_dense import LowerBinaryDense
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import assert_becomes, const, run

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


def test_the_layer_is_a_convolution_of_one_pixel_and_a_scale():
    """The threshold stays in front of the sign, in the shape of a pixel's channels."""
    layouts = {"data_layout": "NHWC", "kernel_layout": "HWIO", "out_layout": "NHWC"}

    def expected(x):
        pixel = op.subtract(op.reshape(x, (ROWS, 1, 1, INPUTS)), const(THRESHOLD.reshape(1, 1, 1, INPUTS)))
        y = op.nn.conv2d(op.sign(pixel), const(SIGNS.reshape(1, 1, INPUTS, OUTPUTS)), **layouts)
        return op.reshape(op.multiply(y, const(ALPHA.reshape(1, 1, 1, OUTPUTS))), (ROWS, OUTPUTS))

    before = lambda x: op.matmul(op.sign(op.subtract(x, const(THRESHOLD))), const(SIGNS * ALPHA))
    assert_becomes(LowerBinaryDense(context()), before, expected, (ROWS, INPUTS))


@pytest.mark.parametrize("threshold", [False, True])
@pytest.mark.parametrize("alpha", [ALPHA, np.ones(OUTPUTS, np.float32)])
def test_a_dense_layer_of_signs_is_a_convolution_of_one_pixel(threshold, alpha):
    before = network(SIGNS * alpha, threshold=threshold)
    after = LowerBinaryDense(context())(before)
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
    tvm.ir.assert_structural_equal(LowerBinaryDense(context())(module), module)
