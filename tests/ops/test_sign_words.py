"""Words of sign bits from whole vectors equal the comparisons one by one: ties, zeros of both signs, NaN, tails."""

from __future__ import annotations

import numpy as np
import pytest
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from b2nn_tvm.ops.sign_words import word_of_signs
from b2nn_tvm.targets.target import get
from tests.support.ops.activations import activations
from tests.support.ops.scheduled import build

PIXELS, CHANNELS = 6, 32


def packing(first: int, count: int, word: str):
    """A function (x [pixels, channels], limit [channels], y [pixels]) of one word to a pixel."""
    i = T.int64
    with IRBuilder() as builder, T.prim_func(s_tir=True):
        T.func_name("main")
        x_ptr, limit_ptr, y_ptr = (T.arg(name, T.handle()) for name in ("x_ptr", "limit_ptr", "y_ptr"))
        x = T.match_buffer(x_ptr, (i(PIXELS), i(CHANNELS)), "float32")
        limit = T.match_buffer(limit_ptr, (i(CHANNELS),), "float32")
        y = T.match_buffer(y_ptr, (i(PIXELS),), word)
        with T.serial(0, i(PIXELS)) as pixel:
            T.buffer_store(y, word_of_signs(x, limit, (pixel,), i(first), word=word, count=count), (pixel,))
    return builder.get()


@pytest.mark.parametrize(
    ("first", "count", "word"),
    [
        (0, 32, "uint32"),
        (0, 31, "uint32"),  # vectors of 16 and 8, and 7 single bits
        (8, 24, "uint32"),
        (0, 16, "uint32"),
        (3, 1, "uint32"),
        (24, 8, "uint8"),
        (5, 3, "uint8"),
    ],
)
def test_each_bit_is_a_comparison(first, count, word):
    x, limits = activations(1, PIXELS, 1, CHANNELS)
    x = x.reshape(PIXELS, CHANNELS)
    with np.errstate(invalid="ignore"):
        signs = (x >= limits)[:, first : first + count]
    expected = [sum(int(bit) << position for position, bit in enumerate(row)) for row in signs]
    found = build(packing(first, count, word), get("native"))(x, limits)
    np.testing.assert_array_equal(found, np.array(expected, word))
    assert np.isnan(x).any() and (x == limits).any()


@pytest.mark.parametrize(("count", "vectors"), [(32, [32]), (31, [16, 8]), (24, [16, 8]), (8, [8]), (7, [])])
def test_vectors_are_as_long_as_they_fit(count, vectors):
    text = packing(0, count, "uint32").script()
    found = [lanes for lanes in (32, 16, 8) for _ in range(text.count(f'reinterpret("uint{lanes}"'))]
    assert found == vectors
