"""Codes that 8-bit layers read lie in memory as the target's type of codes, and stay the same numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tvm.relax import op

from b2nn_tvm.ops.vector_layout import CodeLayout
from b2nn_tvm.passes.lower.store_codes import StoreCodes
from b2nn_tvm.relax_query import calls, dtype, op_name
from tests.support.passes.codes import codes, numbers, whole_weights
from tests.support.passes.compile_context import BYTES, context
from tests.support.passes.convolutions import conv
from tests.support.passes.relax_functions import assert_becomes, assert_stays, const, module, random_input, run

SHAPE = (1, 6, 5, 4)
WEIGHT = whole_weights(3, 3, 4, 5)[0]


def store(mod, dtype="uint8"):
    layout = replace(BYTES, codes=CodeLayout(dtype, 1))
    return StoreCodes(context(layout=layout))(mod)


def stored(c):
    return op.astype(op.astype(c, "uint8"), "float32")


def test_all_readers_read_the_bytes():
    def net(x, keep):
        c = keep(codes(x))
        return op.add(conv(numbers(c), WEIGHT, padding=1), op.sum(c))

    assert_becomes(store, lambda x: net(x, lambda c: c), lambda x: net(x, stored), SHAPE)


@pytest.mark.parametrize(
    ("kind", "shift", "low", "high", "zero"),
    [("uint8", 0, 0, 255, 3), ("int8", -128, 0, 255, 3), ("int16", 0, -128, 127, 0), ("int8", -128, -3, 9, -1)],
)
def test_codes_begin_at_the_least_number_of_their_type(kind, shift, low, high, zero):
    before = module(lambda x: conv(numbers(codes(x, 0.25, zero, low, high), 0.25, zero), WEIGHT), SHAPE)
    after = store(before, kind)
    casts = [call for _, call in calls(after["main"]) if op_name(call) == "relax.astype" and dtype(call) == kind]
    assert len(casts) == 1
    added = [call for _, call in calls(after["main"]) if op_name(call) == "relax.add"]
    assert len(added) == (zero != 0) + (shift != low)
    x = random_input(SHAPE) * 8
    np.testing.assert_array_equal(run(after, x), run(before, x))


def test_pooled_codes_are_stored_where_there_are_8_bit_layers():
    pool = lambda c: op.nn.max_pool2d(numbers(c), (2, 2), (2, 2), layout="NHWC")

    def net(x, keep):
        return conv(numbers(keep(codes(pool(keep(codes(x)))))), WEIGHT, padding=1)

    assert_becomes(store, lambda x: net(x, lambda c: c), lambda x: net(x, stored), SHAPE)
    assert_stays(store, lambda x: pool(codes(x)), SHAPE)


def test_codes_that_are_bytes_already_stay():
    assert_stays(store, lambda x: conv(numbers(stored(codes(x))), WEIGHT), SHAPE)


def test_bytes_that_are_pooled_stay():
    def net(x):
        pooled = op.nn.max_pool2d(op.astype(op.greater_equal(x, const(0)), "uint8"), (2, 2), (2, 2), layout="NHWC")
        return op.add(op.mean(conv(numbers(stored(codes(x))), WEIGHT)), op.mean(op.astype(pooled, "float32")))

    assert_stays(store, net, SHAPE)


def test_codes_that_no_8_bit_layer_reads_stay():
    weight = np.random.default_rng(0).standard_normal((3, 3, 4, 5)).astype(np.float32)
    assert_stays(store, lambda x: conv(numbers(codes(x)), weight), SHAPE)
    assert_stays(store, lambda x: op.add(codes(x), const(1)), SHAPE)
