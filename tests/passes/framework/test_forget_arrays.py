"""Results about constants that are in no module any more are forgotten, and their memory with them."""

from __future__ import annotations

import numpy as np
import tvm
from tvm.relax import op

from b2nn_tvm.passes.framework.forget_arrays import ForgetArrays
from b2nn_tvm.relax_query import calls, constant
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import SHAPE, assert_stays, const, module


def test_the_module_stays_as_it_is() -> None:
    assert_stays(ForgetArrays(context()), lambda x: op.multiply(op.nn.relu(x), const(np.full(SHAPE, 2.0))))


def test_results_about_constants_of_the_module_are_kept() -> None:
    own, gone, asked = context(), context(), []
    own.digest._function = gone.digest._function = lambda array: asked.append(array.shape) or "digest"
    with_constant = module(lambda x: op.nn.conv2d(x, const(np.ones((3, 4, 3, 3)))))
    ((_, call),) = calls(with_constant["main"])
    weight = constant(call.args[1])
    for each in (own, gone):
        each.digest(weight)
        each.digest(weight.transpose(2, 3, 1, 0))
    assert len(asked) == 4
    ForgetArrays(own)(with_constant)
    ForgetArrays(gone)(tvm.IRModule({"main": module(op.nn.relu)["main"]}))
    for each in (own, gone):
        each.digest(constant(call.args[1]))
        each.digest(weight.transpose(2, 3, 1, 0))
    assert len(asked) == 6  # the second context has forgotten both
