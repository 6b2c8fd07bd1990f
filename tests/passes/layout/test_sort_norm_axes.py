"""Normalizations whose axes a change of layout reordered keep their values."""

from __future__ import annotations

import numpy as np
from tvm.relax import op

from b2nn_tvm.passes.layout.sort_norm_axes import SortNormAxes
from tests.support.passes.compile_context import context
from tests.support.passes.relax_functions import assert_becomes, assert_stays, const, module, random_input, run

NHWC = (2, 6, 5, 4)
SCALE, SHIFT = random_input((4, 6, 5), 1), random_input((4, 6, 5), 2)
HWC = (1, 2, 0)


def test_constants_move_with_their_axes():
    assert_becomes(
        SortNormAxes(context()),
        lambda x: op.nn.layer_norm(x, const(SCALE), const(SHIFT), [3, 1, 2]),
        lambda x: op.nn.layer_norm(x, const(SCALE.transpose(HWC)), const(SHIFT.transpose(HWC)), [1, 2, 3]),
        NHWC,
    )


def test_a_computed_scale_is_transposed():
    assert_becomes(
        SortNormAxes(context()),
        lambda x, g: op.nn.layer_norm(x, g, const(SHIFT), [3, 1, 2]),
        lambda x, g: op.nn.layer_norm(x, op.permute_dims(g, HWC), const(SHIFT.transpose(HWC)), [1, 2, 3]),
        NHWC,
        SCALE.shape,
    )


def test_rms_normalization_is_moved_to_the_last_axes():
    weight = const(SCALE[0])
    assert_becomes(
        SortNormAxes(context()),
        lambda x: op.nn.rms_norm(x, weight, [1, 2], 1e-5),
        lambda x: op.permute_dims(op.nn.rms_norm(op.permute_dims(x, [0, 3, 1, 2]), weight, [2, 3], 1e-5), [0, 2, 3, 1]),
        NHWC,
    )


def test_ascending_axes_stay():
    pixels = const(SCALE[0])
    assert_stays(SortNormAxes(context()), lambda x: op.nn.layer_norm(x, pixels, pixels, [1, 2]), NHWC)
    assert_stays(SortNormAxes(context()), lambda x: op.nn.rms_norm(x, const(SCALE[:, 0, 0]), [3], 1e-5), NHWC)


def test_the_values_are_those_of_the_formula():
    x = random_input(NHWC)
    body = lambda x: op.nn.layer_norm(x, const(SCALE), const(SHIFT), [3, 1, 2])
    mean, variance = (f(x, axis=(1, 2, 3), keepdims=True) for f in (np.mean, np.var))
    expected = (x - mean) / np.sqrt(variance + 1e-5) * SCALE.transpose(HWC) + SHIFT.transpose(HWC)
    np.testing.assert_allclose(run(SortNormAxes(context())(module(body, NHWC)), x), expected, rtol=1e-5, atol=1e-5)
