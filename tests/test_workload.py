"""A workload's sizes by hand, and the word for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.workload import ConvWorkload, differences

STRIDED = ConvWorkload(2, 8, 9, 7, 6, (3, 1), (2, 1), (1, 2, 0, 3), (2, 1), 2)
KEY = "conv2d_n2_c8_h9_w7_o6_k3x1_s2x1_p1x2x0x3_d2x1_g2"


def test_sizes_by_hand():
    """9 rows and one of padding hold windows of 5 rows at steps of 2: 3. Columns are 7 + 5."""
    assert (STRIDED.out_height, STRIDED.out_width) == (3, 12)
    assert STRIDED.weights == 6 * 4 * 3
    assert STRIDED.macs == 2 * 3 * 12 * 6 * 4 * 3


def test_the_key_says_everything():
    assert STRIDED.key == KEY
    assert ConvWorkload.parse(KEY) == STRIDED


@pytest.mark.parametrize(
    "key", ["", "dense_n1_k5_o3", KEY + "0x1", KEY.replace("k3x1", "k3"), KEY.replace("n2", "n-2")]
)
def test_what_is_no_key_is_refused_with_an_example(key):
    with pytest.raises(InputError, match="is no workload; expected a word such as conv2d_n1_c16_h32_w32_o16_k3x3"):
        ConvWorkload.parse(key)


def test_differences_leave_out_the_batch_and_the_image():
    assert differences(STRIDED, replace(STRIDED, batch=1, in_height=99, in_width=1)) == ""
    other = replace(STRIDED, kernel=(5, 5), groups=7)
    assert differences(STRIDED, other) == f"kernel 3x1 there, 5x5 here, groups {STRIDED.groups} there, 7 here"
