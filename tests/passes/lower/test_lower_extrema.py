import numpy as np
import pytest
from tvm import relax, te, tirx
from tvm.relax import op

from b2nn_tvm.ops.extremum import largest
from b2nn_tvm.passes.lower.lower_extrema import LowerExtrema
from b2nn_tvm.relax_query import calls, op_name
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import assert_becomes, assert_stays, const, module, random_input, run

SHAPE = (2, 3, 4, 5)
SCALE = random_input((1, 3, 1, 1), 1)


def special() -> np.ndarray:
    x = random_input(SHAPE, 3)
    x.reshape(-1)[::7], x.reshape(-1)[1::7], x.reshape(-1)[2::11] = np.nan, np.inf, -np.inf
    x[0, 1] = -np.inf
    x[1, 2] = np.nan_to_num(x[1, 2])
    return x


BODIES = {
    "relu": (op.nn.relu, lambda x: np.maximum(x, 0)),
    "clip": (lambda x: op.clip(x, -0.5, 6.0), lambda x: np.clip(x, -0.5, 6)),
    "maximum of a scalar": (lambda x: op.maximum(const(0.25), x), lambda x: np.maximum(x, np.float32(0.25))),
    "maximum of a tensor": (lambda x: op.maximum(x, op.negative(x)), lambda x: np.maximum(x, -x)),
    "minimum of constants": (lambda x: op.minimum(x, const(SCALE)), lambda x: np.minimum(x, SCALE)),
    "minimum of NaN": (lambda x: op.minimum(x, const(np.nan)), lambda x: np.minimum(x, np.nan)),
    "max": (lambda x: op.max(x, [1, -1]), lambda x: x.max((1, 3))),
    "max, axes kept": (lambda x: op.max(x, [2], True), lambda x: x.max(2, keepdims=True)),
    "min of all": (op.min, lambda x: x.min()),
}


@pytest.mark.parametrize("name", BODIES)
def test_nan_and_infinities_stay(name):
    body, expected = BODIES[name]
    x = special()
    after = LowerExtrema(context())(module(body, SHAPE))
    assert all(op_name(call) in ("relax.call_tir", "relax.negative") for _, call in calls(after["main"]))
    np.testing.assert_array_equal(run(after, x), expected(x))


def test_a_relu_becomes_a_function_of_its_name():
    def expected(x):
        def relu(x):
            return te.compute(x.shape, lambda *at: largest([x(*at)], [tirx.const(0.0, "float32")]), name="bounded")

        return relax.BlockBuilder.current().call_te(relu, x, primfunc_name_hint="relu")

    assert_becomes(LowerExtrema(context()), op.nn.relu, expected, SHAPE)


def test_what_is_no_extremum_or_no_float_stays():
    assert_stays(LowerExtrema(context()), op.negative, SHAPE)
    assert_stays(LowerExtrema(context()), lambda x: op.maximum(op.astype(x, "int32"), const(3, "int32")), SHAPE)
    assert_stays(LowerExtrema(context()), lambda x: op.nn.max_pool2d(x, (2, 2)), SHAPE)
