"""Max pooling of codes in place of numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tvm.relax import op

from b2nn_tvm.ops.vector_layout import CodeLayout
from b2nn_tvm.passes.lower.pool_codes import PoolCodes
from tests.support.passes.codes import codes, numbers
from tests.support.passes.compile_context import BYTES, context
from tests.support.passes.relax_functions import assert_becomes, assert_stays, const, module, random_input, run

SHAPE = (1, 7, 6, 4)


def pool_codes(mod):
    return PoolCodes(context(layout=replace(BYTES, codes=CodeLayout("uint8", 4))))(mod)


def pool(x):
    return op.nn.max_pool2d(x, (3, 3), (2, 2), (1, 1), layout="NHWC")


def stored(x):
    return op.astype(codes(x), "uint8")


def number(q):
    return numbers(op.astype(q, "float32"))


def test_numbers_are_made_of_pooled_codes():
    before, after = (lambda x: pool(number(stored(x)))), (lambda x: number(pool(stored(x))))
    assert_becomes(pool_codes, before, after, SHAPE)
    x = random_input(SHAPE)
    np.testing.assert_array_equal(run(pool_codes(module(before, SHAPE)), x), run(module(before, SHAPE), x))


def test_what_falls_or_is_no_code_stays():
    assert_stays(pool_codes, lambda x: pool(op.multiply(op.astype(stored(x), "float32"), const(-1))), SHAPE)
    assert_stays(pool_codes, lambda x: pool(numbers(codes(x))), SHAPE)
    assert_stays(pool_codes, lambda x: pool(op.nn.relu(number(stored(x)))), SHAPE)
    assert_stays(pool_codes, lambda x: pool(op.astype(stored(x), "uint8")), SHAPE)
