"""Groups are merged until they fill vectors and words, and the convolution stays the same."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.passes.lower.merge_groups import merge_groups
from b2nn_tvm.reference.int8 import int8_conv2d


@pytest.mark.parametrize(
    ("groups", "channels", "outputs", "left"),
    [
        (1, 3, 5, 1),  # one group may have any size
        (2, 16, 32, 2),  # they fill vectors of 16 and words of 4
        (32, 4, 4, 8),
        (8, 2, 16, 4),
        (3, 5, 11, 1),
        (64, 1, 2, 8),
    ],
)
def test_the_fewest_groups_that_fill_vectors_are_merged(groups, channels, outputs, left):
    rng = np.random.default_rng(0)
    weight = rng.integers(-128, 128, (groups * outputs, channels, 2, 3)).astype(np.int8)
    merged, remaining = merge_groups(weight, groups, lanes=16, run=4)
    assert remaining == left and merged.shape == (len(weight), groups * channels // left, 2, 3)
    x = rng.integers(0, 256, (1, groups * channels, 4, 5)).astype(np.uint8)
    np.testing.assert_array_equal(
        int8_conv2d(x, merged, zero=3, groups=remaining), int8_conv2d(x, weight, zero=3, groups=groups)
    )


def test_groups_that_would_leave_hardly_any_weights_are_not_merged():
    assert merge_groups(np.ones((31 * 33, 8, 1, 1), np.int8), 31, lanes=16, run=4) is None
    assert merge_groups(np.ones((9 * 3, 5, 1, 1), np.int8), 9, lanes=8, run=2) is None
