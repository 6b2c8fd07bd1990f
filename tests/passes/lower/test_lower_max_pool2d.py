import numpy as np
from tvm import relax
from tvm.relax import op

from b2nn_tvm.ops.max_pool2d import max_pool2d
from b2nn_tvm.ops.pooling import Pooling
from b2nn_tvm.passes.lower.lower_max_pool2d import LowerMaxPool2d
from b2nn_tvm.relax_query import calls, op_name
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import assert_becomes, assert_stays, module, random_input, run

SHAPE = (1, 6, 5, 4)  # NHWC


def pool(x, size=(3, 3), dilation=(1, 1), layout="NHWC"):
    return op.nn.max_pool2d(x, size, (2, 2), (1, 1), dilation, layout=layout)


def test_a_pooling_is_written_out():
    pooling = Pooling((3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 3, 3)

    def expected(x):
        function = {"primfunc_name_hint": "max_pool2d", "primfunc_attrs": {"op_pattern": 4}}
        return relax.BlockBuilder.current().call_te(lambda x: max_pool2d(x, pooling), x, **function)

    assert_becomes(LowerMaxPool2d(context()), pool, expected, SHAPE)


def test_a_pooling_becomes_a_function():
    after = LowerMaxPool2d(context())(module(pool, SHAPE))
    ((_, call),) = calls(after["main"])
    assert op_name(call) == "relax.call_tir" and call.args[0].name_hint == "max_pool2d"
    assert tuple(map(int, call.ty.shape)) == (1, 3, 3, 4)


def test_poolings_that_cannot_be_written_out_stay_and_are_in_the_log():
    for body, why in ((lambda x: pool(x, (5, 5)), "16 taps"), (lambda x: pool(x, dilation=(2, 2)), "gaps")):
        assert_stays(LowerMaxPool2d(context()), body, SHAPE)
        own = context()
        LowerMaxPool2d(own)(module(body, SHAPE))
        (entry,) = own.log.in_order([])
        assert not entry.applied and why in entry.reason


def test_other_poolings_stay():
    assert_stays(LowerMaxPool2d(context()), lambda x: pool(x, layout="NCHW"), SHAPE)
    assert_stays(LowerMaxPool2d(context()), lambda x: op.nn.avg_pool2d(x, (2, 2), layout="NHWC"), SHAPE)


def test_the_numbers_are_the_same():
    before = module(lambda x: op.nn.relu(pool(op.negative(x))), SHAPE)
    x = random_input(SHAPE)
    np.testing.assert_array_equal(run(LowerMaxPool2d(context())(before), x), run(before, x))
