"""Kernel rows whose taps are joined are kernels of one column, over windows of all codes of a row."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.passes.lower.join_taps import columns_read, join_taps, joins_taps
from b2nn_tvm.workload import ConvWorkload

STEM = ConvWorkload(1, 3, 224, 224, 64, (7, 7), (2, 2), (3, 3, 3, 3))


def test_a_joined_row_has_its_taps_one_behind_the_other():
    weight = np.arange(2 * 3 * 2 * 4).reshape(2, 3, 2, 4)
    joined = join_taps(weight)
    assert joined.shape == (2, 12, 2, 1)
    for column in range(4):
        np.testing.assert_array_equal(joined[:, 3 * column : 3 * column + 3, :, 0], weight[..., column])


@pytest.mark.parametrize(
    ("workload", "run", "joins"),
    [
        (STEM, 4, True),
        (STEM, 2, True),
        (STEM, 1, False),
        (ConvWorkload(1, 4, 8, 8, 16, (3, 3)), 4, False),  # the channels fill words
        (ConvWorkload(1, 3, 8, 8, 16, (1, 1)), 4, False),  # there is one tap
        (ConvWorkload(1, 3, 8, 8, 16, (3, 3), dilation=(1, 2)), 4, False),  # they are no neighbours
        (ConvWorkload(1, 6, 8, 8, 16, (3, 3), groups=2), 4, False),
    ],
)
def test_neighbouring_taps_are_joined_where_channels_do_not_fill_words(workload, run, joins):
    assert joins_taps(workload, run) == joins


@pytest.mark.parametrize(("workload", "run", "columns"), [(STEM, 4, 230), (STEM, 2, 230)])
def test_the_last_word_of_a_row_may_need_a_column_more(workload, run, columns):
    """222 columns in front of the last window; 24 codes, or 22, are of 8 pixels."""
    assert columns_read(workload, run) == columns


def test_no_column_more_is_read_where_the_codes_fill_words():
    assert columns_read(ConvWorkload(1, 2, 8, 8, 16, (3, 4)), 4) == 8
