"""Views are the tensors that they show, and what is no kernel is refused."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.deploy.codegen.program import TensorSpec
from b2nn_tvm.errors import UnsupportedError
from tests.support.deploy.kernel_network import SHAPE, data, lowered, run


def test_views_are_the_memory_of_what_they_show():
    def body(net, x):
        flat = net.view(net.call("double", x), (15,))
        return net.call("negate", net.view(net.call("negate", flat), SHAPE))

    program, module = lowered(body)
    assert [step.symbol for step in program.steps] == ["k_double", "k_negate", "k_negate1"]
    np.testing.assert_array_equal(run(program, module, data())[0], 2 * data())


def test_a_reshaped_output_is_written_by_a_kernel():
    program, module = lowered(lambda net, x: net.view(x, (15,)))
    assert program.outputs == (TensorSpec("output", (15,), "float32"),)
    np.testing.assert_array_equal(run(program, module, data())[0], data().reshape(15))


def test_operators_without_a_kernel_are_refused():
    with pytest.raises(UnsupportedError, match="operator relax.sort has no kernel"):
        lowered(lambda net, x: net.builder.emit(op.sort(x)))
