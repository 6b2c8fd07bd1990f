"""The table of the look-up form by its definition, the nibbles of weights, and the shape of the sums."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tvm import te

from b2nn_tvm.ops.bconv2d_lookup import SHUFFLES, count_by_lookup, lookup_table, to_nibbles
from b2nn_tvm.workload import ConvWorkload


@pytest.mark.parametrize("lanes", SHUFFLES)
def test_an_entry_counts_the_bits_of_both_pixels_that_differ_from_the_weights(lanes):
    table = lookup_table(lanes)
    assert table.shape == (256, lanes) and table.dtype == np.uint8
    for upper, lower, weight in itertools.product(range(16), repeat=3):
        entry = table[upper | lower << 4, weight]
        assert (entry & 15, entry >> 4) == ((upper ^ weight).bit_count(), (lower ^ weight).bit_count())
    np.testing.assert_array_equal(table, np.tile(table[:, :16], lanes // 16))  # a shuffle works on 16 bytes at a time


def test_low_nibbles_come_first_then_the_high_ones():
    weight = np.array([[0x12, 0x34], [0xAB, 0xCD]], np.uint8)  # two bytes of two filters
    assert to_nibbles(weight).tolist() == [[0x2, 0x4], [0xB, 0xD], [0x1, 0x3], [0xA, 0xC]]


@pytest.mark.parametrize(("channels", "total"), [(8, "uint16"), (65_536, "int32")])
def test_an_odd_number_of_rows_is_rounded_up_and_long_sums_are_wide(channels, total):
    workload = ConvWorkload(1, channels, 3, 5, 16, (1, 1))
    x = te.placeholder((1, 3, 5, channels // 8), "uint8", name="x")
    weight = te.placeholder((1, 1, 1, channels // 4, 16), "uint8", name="w")
    count = count_by_lookup(x, weight, te.placeholder((256, 16), "uint8", name="t"), workload=workload)
    assert tuple(map(int, count.shape)) == (1, 4, 5, 16) and count.dtype == total
