"""The scheduled 8-bit convolution gives the sums of the definition, bit for bit."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from b2nn_tvm.ops.int8_conv2d import (
    WINOGRAD_FILTER,
    WINOGRAD_SCALE,
    WINOGRAD_TAPS,
    pack_depthwise_weights,
    pack_int8_weights,
    pack_winograd_weights,
)
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from b2nn_tvm.workload import ConvWorkload
from tests.support.ops.codes import check_strided_winograd_sums, check_sums, check_winograd_sums
from tests.support.ops.scheduled import build_unoptimized, compile_function
from tests.support.sweep import few

# batch, channels, height, width, outputs, kernel, stride, padding, dilation, groups
WORKLOADS = {
    "one of all": (1, 1, 9, 8, 1, (1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 1),
    "a batch": (3, 3, 9, 8, 33, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
    "strides": (1, 31, 9, 8, 65, (3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 1),
    "dilation": (1, 33, 11, 10, 32, (3, 3), (1, 1), (2, 3, 2, 1), (2, 2), 1),
    "stem": (1, 3, 23, 22, 64, (7, 7), (2, 2), (3, 3, 3, 3), (1, 1), 1),
    "one row": (1, 65, 6, 5, 3, (1, 3), (2, 1), (0, 1, 0, 1), (1, 1), 1),
    "dense": (1, 128, 1, 1, 96, (1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 1),
    "many tiles": (1, 64, 14, 14, 128, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 1),
    "groups": (1, 6, 9, 8, 32, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 2),
    "groups of odd sizes": (3, 33, 8, 8, 33, (3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 3),
    "groups of whole vectors": (1, 32, 7, 8, 64, (3, 3), (1, 2), (1, 1, 1, 1), (1, 1), 2),
    "depthwise": (1, 48, 9, 8, 48, (3, 3), (2, 2), (1, 1, 1, 1), (1, 1), 48),
    "depthwise of odd sizes": (2, 31, 7, 9, 31, (5, 3), (1, 1), (2, 0, 2, 1), (1, 2), 31),
    "depthwise of all widths": (1, 112, 4, 18, 112, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1), 112),
    "depthwise with far taps": (1, 16, 70, 9, 16, (9, 2), (1, 3), (0, 0, 0, 0), (8, 5), 16),
}


def check(workload, target, **kwargs):
    check_sums(workload, vector_unit_named(target.vector).layout, partial(compile_function, target=target), **kwargs)


SWEPT = {"a batch", "strides", "one row", "dense", "groups of odd sizes", "depthwise of odd sizes"}
SWEPT |= {"groups of whole vectors", "depthwise with far taps"}


@pytest.mark.in_turn("target")
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.sweep) if case in SWEPT else case for case in WORKLOADS]
)
def test_the_sums_are_those_of_the_definition(case, target):
    check(ConvWorkload(*WORKLOADS[case]), target)


def test_the_largest_sums_do_not_saturate(target):
    check(ConvWorkload(1, 63, 6, 6, 32, (3, 3)), target, extreme=True)


# batch, channels, height, width, outputs, padding: some tiles of m x m divide the result, others are cut off at its end
WINOGRAD = {
    "whole tiles": ((1, 32, 8, 8, 32, (1, 1, 1, 1)), 127),
    "cut tiles of a batch": ((2, 16, 7, 9, 24, (1, 1, 1, 1)), 127),
    "padding of one side": ((1, 48, 6, 5, 33, (2, 0, 1, 0)), 127),
    "many filters": ((1, 64, 14, 14, 320, (1, 1, 1, 1)), 127),
    "sums as large as they may be": ((1, 144, 4, 4, 16, (1, 1, 1, 1)), 101),
}


@pytest.mark.in_turn("target")
@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize(
    "case",
    [case if case == "cut tiles of a batch" else pytest.param(case, marks=pytest.mark.sweep) for case in WINOGRAD],
)
def test_sums_by_winograd_are_those_of_the_definition(case, m, target):
    layout = vector_unit_named(target.vector).layout
    if not layout.codes.winograd:
        pytest.skip(f"{target.name} has no micro-kernel for it")
    (*sizes, padding), largest = WINOGRAD[case]
    workload = ConvWorkload(*sizes, (3, 3), padding=padding)
    check_winograd_sums(workload, layout, partial(compile_function, target=target), m=m, largest=largest)


# batch, channels, height, width, outputs, padding: a result of even sides, or with an odd one, or of one line
STRIDED = {
    "an odd number of lines and columns": (2, 32, 9, 13, 40, (1, 1, 1, 1)),
    "an even number": (1, 48, 16, 12, 24, (1, 1, 1, 1)),
    "an odd number of lines": (1, 16, 14, 16, 33, (0, 1, 0, 0)),
    "an odd number of columns": (1, 64, 8, 22, 16, (1, 0, 0, 1)),
    "one line": (1, 16, 3, 40, 8, (0, 0, 0, 0)),
    "one pixel": (1, 16, 3, 3, 48, (0, 0, 0, 0)),
    "tiles for several calls": (1, 16, 57, 57, 16, (0, 0, 0, 0)),
    "many filters": (1, 64, 14, 14, 320, (1, 1, 1, 1)),
}


@pytest.mark.parametrize("target", ["x86", "x86-avx512"], indirect=True)
@pytest.mark.parametrize("case", few(STRIDED, ["an odd number of lines and columns"]))
def test_sums_of_stride_2_by_winograd_are_those_of_the_definition(case, target):
    *sizes, padding = STRIDED[case]
    workload = ConvWorkload(*sizes, (3, 3), (2, 2), padding)
    check_strided_winograd_sums(
        workload, vector_unit_named(target.vector).layout, partial(compile_function, target=target)
    )


def test_the_unscheduled_form_of_stride_2_is_the_convolution():
    workload = ConvWorkload(1, 16, 7, 6, 9, (3, 3), (2, 2), (1, 1, 1, 1))
    check_strided_winograd_sums(workload, vector_unit_named("avx2").layout, build_unoptimized)


@pytest.mark.parametrize("m", [2, 4])
def test_the_unscheduled_form_is_the_convolution(m):
    """What the micro-kernels replace computes the filters of the transformed weights."""
    workload = ConvWorkload(1, 16, 5, 6, 9, (3, 3), padding=(1, 1, 1, 1))
    layout = vector_unit_named("avx2").layout
    check_winograd_sums(workload, layout, build_unoptimized, m=m)


@pytest.mark.parametrize("m", [2, 4])
def test_transformed_filters_are_whole_numbers_of_16_bits_from_which_the_taps_come_back(m):
    root = int(WINOGRAD_SCALE[m] ** 0.5)
    np.testing.assert_array_equal(np.array(WINOGRAD_TAPS[m]) @ np.array(WINOGRAD_FILTER[m]), root * np.eye(3))
    for weight in (127, -128):
        assert np.abs(pack_winograd_weights(np.full((8, 2, 3, 3), weight), lanes=8, m=m)).max() < 2**15


def random_workload(rng):
    pick = lambda *choices: choices[rng.integers(len(choices))]
    channels, outputs = pick(1, 3, 4, 6, 16, 31, 32, 65), pick(1, 3, 8, 16, 31, 33, 64, 100)
    groups = 1
    if rng.random() < 0.3:
        groups = pick(2, 3, 8)
        channels, outputs = groups * pick(1, 2, 5), groups * pick(1, 3, 8)
    if rng.random() < 0.2:
        groups = channels = outputs = pick(2, 16, 31, 64)
    kernel, dilation = (pick(1, 2, 3, 5), pick(1, 3, 4)), (pick(1, 1, 2), pick(1, 1, 3))
    size = [int(rng.integers(reach, reach + 12)) for reach in ((k - 1) * d + 1 for k, d in zip(kernel, dilation))]
    padding = tuple(int(rng.integers(0, 3)) for _ in range(4))
    return ConvWorkload(
        pick(1, 1, 2), channels, *size, outputs, kernel, (pick(1, 1, 2), pick(1, 1, 3)), padding, dilation, groups
    )


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(40))
def test_generated_convolutions(seed, target):
    rng = np.random.default_rng(seed)
    check(random_workload(rng), target, seed=seed, extreme=seed % 5 == 0)


def test_absent_filters_and_channels_are_zero():
    weight = np.arange(1, 3 * 3 * 1 * 2 + 1).reshape(3, 3, 1, 2)
    packed = pack_int8_weights(weight, lanes=4, run=2, dtype="int16")
    assert packed.shape == (1, 1, 2, 2, 4, 2) and packed.dtype == np.int16
    by_channel = packed[0].transpose(3, 2, 4, 0, 1).reshape(4, 4, 1, 2)
    np.testing.assert_array_equal(by_channel[:3, :3], weight)
    assert not by_channel[3].any() and not by_channel[:, 3].any()


def test_taps_of_a_column_lie_side_by_side_and_absent_ones_are_zero():
    weight = np.arange(1, 3 * 5 * 2 + 1).reshape(3, 1, 5, 2)
    packed = pack_depthwise_weights(weight, lanes=2, taps=4, multiple=4, dtype="int8")
    assert packed.shape == (2, 2, 2, 2, 4) and packed.dtype == np.int8
    by_channel = packed.transpose(0, 3, 2, 4, 1).reshape(4, 8, 2)
    np.testing.assert_array_equal(by_channel[:3, :5], weight[:, 0])
    assert not by_channel[3].any() and not by_channel[:, 5:].any()
