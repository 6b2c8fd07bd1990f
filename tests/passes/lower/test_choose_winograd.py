"""8-bit layers that Winograd's form computes faster, and those of which it would not be exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from b2nn_tvm.ops.vector_layout import CodeLayout
from b2nn_tvm.passes.lower.choose_winograd import winograd_tile
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from b2nn_tvm.workload import ConvWorkload
from tests.support.schedules.compiled import STAGES

PAIRS, VNNI = (vector_unit_named(name).layout.codes for name in ("avx2", "avx512vpopcntdq"))
SMALL = ConvWorkload(1, 32, 16, 16, 32, (3, 3), padding=(1, 1, 1, 1))


def tile(workload: ConvWorkload, codes: CodeLayout, *, weight: int = 20) -> int:
    shape = (workload.out_channels, workload.in_channels // workload.groups, *workload.kernel)
    return winograd_tile(workload, np.full(shape, weight, np.int8), codes)


def test_the_stages_of_resnet18():
    """Products of 16 bits are as fast as those of codes with AVX2, and half as fast with VNNI; many weights for few
    pixels are read once.
    """
    assert [tile(stage, PAIRS) for stage in STAGES.values()] == [4, 4, 2, 2]
    assert [tile(stage, VNNI) for stage in STAGES.values()] == [4, 4, 0, 0]


STRIDED = [
    ConvWorkload(1, channels, size, size, 2 * channels, (3, 3), (2, 2), (1, 1, 1, 1))
    for channels, size in ((64, 56), (128, 28), (256, 14))
]


def test_layers_of_stride_2_pay_where_products_are_of_16_bits():
    """A product of VNNI is of four codes by the direct form. The range of the weights does not matter."""
    assert [tile(workload, PAIRS, weight=-128) for workload in STRIDED] == [2, 2, 2]
    assert [tile(workload, VNNI) for workload in STRIDED] == [0, 0, 0]


def test_sums_of_weights_do_not_pay_for_a_few_pixels():
    small = replace(SMALL, stride=(2, 2), in_height=4, in_width=4)
    assert (tile(replace(small, in_height=16, in_width=16), PAIRS), tile(small, PAIRS)) == (2, 0)


def test_few_channels_do_not_pay_for_the_transforms():
    assert (tile(SMALL, PAIRS), tile(SMALL, VNNI)) == (4, 0)
    assert tile(replace(SMALL, in_channels=16, out_channels=1), PAIRS) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"kernel": (1, 3)},
        {"stride": (1, 2)},
        {"dilation": (2, 2)},
        {"groups": 2},
        {"in_channels": 24},
        {"in_height": 401, "in_width": 401},
    ],
)
def test_other_layers_stay_direct(change):
    assert tile(replace(SMALL, **change), PAIRS) == 0


def test_units_without_a_micro_kernel_stay_direct():
    assert tile(SMALL, replace(PAIRS, winograd=0)) == 0


def test_sums_that_times_64_leave_int32_take_smaller_tiles_or_stay_direct():
    """Codes of 255 by the largest weights of 128 channels are beyond 2^31 times 64; those of 2048 are times 4, too."""
    large = replace(SMALL, in_channels=128)
    most = (2**31 - 1) // (255 * 9 * 128 * 64)
    assert most < 127
    assert (tile(large, PAIRS, weight=most), tile(large, PAIRS, weight=-most)) == (4, 4)
    assert tile(large, PAIRS, weight=most + 1) == 2
    assert tile(replace(SMALL, in_channels=2048), PAIRS, weight=127) == 0
