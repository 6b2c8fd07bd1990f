import numpy as np
import pytest
import tvm
from tvm import relax
from tvm.relax import op

from b2nn_tvm.passes.binary.lower_binary_dense import LowerBinaryDense
from b2nn_tvm.provenance.layer_names import NamedLayer, weight_digest
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import assert_becomes, assert_stays, const, module, random_input, run

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


def test_the_layer_is_a_convolution_of_one_row_and_a_scale():
    """The threshold stays in front of the sign, in the shape of a pixel's channels."""
    layouts = {"data_layout": "NHWC", "kernel_layout": "HWIO", "out_layout": "NHWC"}

    def expected(x):
        pixel = op.subtract(op.reshape(x, (1, 1, ROWS, INPUTS)), const(THRESHOLD.reshape(1, 1, 1, INPUTS)))
        y = op.nn.conv2d(op.sign(pixel), const(SIGNS.reshape(1, 1, INPUTS, OUTPUTS)), **layouts)
        return op.reshape(op.multiply(y, const(ALPHA.reshape(1, 1, 1, OUTPUTS))), (ROWS, OUTPUTS))

    before = lambda x: op.matmul(op.sign(op.subtract(x, const(THRESHOLD))), const(SIGNS * ALPHA))
    assert_becomes(LowerBinaryDense(context()), before, expected, (ROWS, INPUTS))


@pytest.mark.parametrize("threshold", [False, True])
@pytest.mark.parametrize("alpha", [ALPHA, np.ones(OUTPUTS, np.float32)])
def test_a_dense_layer_of_signs_is_a_convolution_of_one_row(threshold, alpha):
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


PER_INPUT = RNG.uniform(0.5, 2, (INPUTS, 1)).astype(np.float32)
TERNARY = RNG.integers(-1, 2, (INPUTS, OUTPUTS)).astype(np.float32)
HALF = np.float32(0.5)
# What is between the sign and the layer, or how its weights are spelled: (function of x, shape of x).
SPELLINGS = {
    "several axes": (lambda x: op.matmul(op.sign(x), const(SIGNS)), (2, 3, INPUTS)),
    "scaled signs": (lambda x: op.matmul(op.multiply(op.sign(x), const(HALF)), const(SIGNS)), (ROWS, INPUTS)),
    "0 and 1": (
        lambda x: op.matmul(op.add(op.multiply(op.sign(x), const(HALF)), const(HALF)), const(SIGNS * ALPHA)),
        (ROWS, INPUTS),
    ),
    "a scale for each input": (
        lambda x: op.matmul(op.multiply(op.sign(x), const(PER_INPUT.T)), const(SIGNS / PER_INPUT)),
        (ROWS, INPUTS),
    ),
    "columns": (lambda x: op.matmul(const(SIGNS.T), op.sign(x)), (INPUTS, 3)),
    "columns with thresholds": (
        lambda x: op.matmul(const(SIGNS.T), op.sign(op.subtract(x, const(THRESHOLD.reshape(-1, 1))))),
        (2, INPUTS, 3),
    ),
    "transposed": (
        lambda x: op.matmul(op.permute_dims(op.multiply(op.sign(x), const(HALF)), [1, 0]), const(SIGNS)),
        (INPUTS, ROWS),
    ),
    "ternary": (lambda x: op.matmul(op.sign(x), const(TERNARY * ALPHA)), (ROWS, INPUTS)),
    "two values": (lambda x: op.matmul(op.sign(x), const(SIGNS * ALPHA + HALF)), (ROWS, INPUTS)),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_other_spellings_of_a_binary_dense_layer(spelling):
    body, shape = SPELLINGS[spelling]
    before = module(body, shape)
    after = LowerBinaryDense(context())(before)
    text = after.script()
    assert "R.nn.conv2d" in text and "R.matmul" not in text
    x = random_input(shape)
    np.testing.assert_allclose(run(after, x), run(before, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (lambda x: op.matmul(op.sign(x), const(SIGNS * PER_INPUT)), "one magnitude per input, not per output"),
        (lambda x: op.matmul(op.sign(x), const(SIGNS * PER_INPUT * ALPHA + SIGNS)), "its weights are not ±alpha"),
        (lambda x: op.matmul(op.exp(x), const(SIGNS * PER_INPUT)), "its input is not a sign: it comes from exp"),
        (lambda x: op.matmul(x, const(SIGNS * PER_INPUT)), "its input is not a sign: it is the input of the network"),
    ],
)
def test_a_layer_that_stays_float_says_why(body, reason):
    weight = module(body, (ROWS, INPUTS))["main"].body.blocks[0].bindings[-1].value.args[1].value.numpy()
    own = context(layers=[NamedLayer("fc", "dense", weight_digest(weight.T))])
    assert_stays(LowerBinaryDense(own), body, (ROWS, INPUTS))
    assert reason in own.kernels.reasons["fc"]
