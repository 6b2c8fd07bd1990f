"""Stride and dilation as numbers, each with its axis."""

from __future__ import annotations

from b2nn_tvm.ops.window import window_numbers
from b2nn_tvm.workload import ConvWorkload


def test_rows_and_columns_are_told_apart():
    workload = ConvWorkload(1, 3, 20, 20, 16, (3, 3), (2, 1), (0, 0, 0, 0), (3, 4))
    assert window_numbers(workload) == {"stride_h": 2, "stride_w": 1, "dilation_h": 3, "dilation_w": 4}
