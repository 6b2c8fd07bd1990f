"""What is read of a small Relax function, and of its constants."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from ml_dtypes import bfloat16
from tvm import relax
from tvm.script import relax as R

from b2nn_tvm import relax_query as query


@R.function
def network(x: R.Tensor((2, 3), "float32"), y: R.Tensor((2, 3), "float32")):
    with R.dataflow():
        a = R.add(x, y)
        b = R.nn.relu(a)
        c = R.multiply(b, b)
        R.output(c)
    return c


def by_name(variables):
    return {variable.name: count for variable, count in variables.items()}


def test_calls_come_in_order():
    assert [(var.name, query.op_name(call)) for var, call in query.calls(network)] == [
        ("a", "relax.add"),
        ("b", "relax.nn.relu"),
        ("c", "relax.multiply"),
    ]


def test_every_read_counts():
    assert by_name(query.reads(network)) == {"x": 1, "y": 1, "a": 1, "b": 2, "c": 1}


def test_a_variable_is_followed_to_what_it_is_bound_to():
    definition = query.definitions(network)
    found = definition(network.body.body)
    assert query.op_name(found) == "relax.multiply"
    assert query.op_name(definition(found.args[0])) == "relax.nn.relu"
    assert definition(network.params[0]).same_as(network.params[0])


def test_variables_of_nested_expressions():
    x, y = network.params
    pair = relax.Tuple([relax.op.add(x, y), x])
    assert [variable.name for variable in query.variables(pair)] == ["x", "y", "x"]
    assert query.op_name(pair) == ""


def test_shape_and_type_of_a_tensor():
    assert (query.shape(network.params[0]), query.dtype(network.params[0])) == ((2, 3), "float32")


def test_the_values_of_constants():
    value = np.array([[1.5, 2.5]], np.float32)
    np.testing.assert_array_equal(query.constant(relax.const(value)), value)
    assert query.constant(network.params[0]) is None
    assert query.uniform(relax.const(value)) is None
    assert query.uniform(relax.const(np.full((2, 3), 4.0, np.float32))) == 4
    assert query.uniform(network.params[0]) is None


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "int64", "uint32", "bool", bfloat16])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_a_constant_can_only_be_read_and_outlives_its_expression(dtype, shape):
    expected = np.ones(shape, dtype)
    found = query.constant(relax.const(tvm.runtime.tensor(expected)))
    assert (found.dtype, found.shape, found.flags.writeable) == (expected.dtype, shape, False)
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("shape", "rank", "axis", "expected"),
    [
        ((), 4, 1, True),
        ((3, 1, 1), 4, 1, True),
        ((1, 3, 1, 1), 4, 1, True),
        ((3,), 4, 1, False),
        ((3,), 4, 3, True),
        ((2, 3, 1, 1), 4, 1, False),
        ((1, 1, 3, 1, 1), 4, 1, False),
    ],
)
def test_which_shapes_broadcast_along_the_channels_only(shape, rank, axis, expected):
    assert query.per_channel(np.zeros(shape), rank, axis) == expected


def test_attributes_become_integers():
    assert query.ints(np.array([1, 2], np.int64)) == (1, 2)


def test_op_name_of_something_that_is_no_call():
    assert query.op_name(relax.const(1.0)) == ""
