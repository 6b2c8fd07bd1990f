"""A lowered network says what it reads and writes, and computes what Relax computes."""

from __future__ import annotations

import numpy as np

from b2nn_tvm.deploy.codegen.plan_arena import ALIGNMENT
from b2nn_tvm.deploy.codegen.program import Storage, TensorSpec
from tests.support.deploy.kernel_network import SHAPE, data, lowered, run


def test_one_kernel_reads_the_input_and_writes_the_output():
    program, module = lowered(lambda net, x: net.call("double", x), prefix="k_", workspace_bytes=123)
    (step,) = program.steps
    assert step.symbol == "k_double"
    assert [(a.storage, a.offset) for a in step.arguments] == [(Storage.INPUT, 0), (Storage.OUTPUT, 0)]
    assert program.inputs == (TensorSpec("x0", SHAPE, "float32"),)
    assert program.outputs == (TensorSpec("output", SHAPE, "float32"),)
    assert (program.arena_bytes, program.workspace_bytes, bytes(program.constants)) == (ALIGNMENT, 123, b"")
    np.testing.assert_array_equal(run(program, module, data())[0], 2 * data())


def test_several_inputs_in_their_order():
    program, module = lowered(
        lambda net, a, b, c: net.call("add", net.call("add", c, a), net.call("negate", b)), *[SHAPE] * 3
    )
    inputs = [data(seed=seed) for seed in range(3)]
    np.testing.assert_array_equal(run(program, module, *inputs)[0], inputs[2] + inputs[0] - inputs[1])
    assert [spec.name for spec in program.inputs] == ["x0", "x1", "x2"]
