"""Weights of few whole numbers times a scale are planes of signs, whatever their range; others are none."""

import numpy as np
import pytest

from b2nn_tvm.passes.patterns.weight_planes import weight_planes

# The numbers, the bits, the number of planes, the rest.
SETS = {
    "signs": ((-1, 1), 1, 1, 0),
    "ternary": ((-1, 0, 1), 2, 2, 0),
    "odd, two bits": ((-3, -1, 1, 3), 2, 2, 0),
    "odd, four bits": (range(-15, 16, 2), 4, 4, 0),
    "two's complement, two bits": (range(-2, 2), 2, 2, -1),
    "two's complement, three bits": (range(-4, 4), 3, 3, -1),
    "narrow, three bits": (range(-3, 4), 3, 3, -1),
    "two's complement, four bits": (range(-8, 8), 4, 4, -1),
}


def drawn(numbers, shape=(6, 5, 2, 2)):
    """Weights in which each filter has both ends, times scales of both signs; one filter is zero."""
    rng = np.random.default_rng(0)
    whole = rng.choice(list(numbers), shape)
    whole[:, 0, 0], whole[:, 1, 0, 0] = (min(numbers), max(numbers)), 1
    scale = (rng.random(shape[0]) + 0.1) * rng.choice((-1, 1), shape[0])
    scale[3] = 0
    return (whole * scale.astype(np.float32).reshape(-1, 1, 1, 1)).astype(np.float32)


@pytest.mark.parametrize(("numbers", "bits", "planes", "rest"), SETS.values(), ids=SETS)
def test_the_sum_of_the_planes_is_the_weights(numbers, bits, planes, rest):
    weight = drawn(numbers)
    found = weight_planes(weight)
    assert (found.bits, len(found.planes), found.rest) == (bits, planes, rest)
    assert all((np.abs(plane.signs) == 1).all() and plane.signs.shape == weight.shape for plane in found.planes)
    total = sum(plane.coefficient * plane.signs for plane in found.planes) + found.rest
    np.testing.assert_allclose(total * found.scale.reshape(-1, 1, 1, 1), weight, rtol=1e-6, atol=0)
    assert np.abs(total).max() <= found.reach


def test_a_filter_of_large_numbers_alone_has_a_larger_scale():
    found = weight_planes(np.array([[2, -2, 2], [1, 0, -2]], np.float32))
    assert found.bits == 2
    np.testing.assert_allclose(found.scale * 2, [2, 1])


NONE = {
    "floats": np.random.default_rng(0).standard_normal((4, 9)).astype(np.float32),
    "five bits": np.arange(-16, 16, dtype=np.float32).reshape(1, -1),
    "a filter of floats": np.concatenate([np.ones((3, 9)), np.random.default_rng(0).random((1, 9))]).astype(np.float32),
    "two weights": np.ones((4, 2), np.float32),
    "not a number": np.full((4, 9), np.nan, np.float32),
}


@pytest.mark.parametrize("weight", NONE.values(), ids=NONE)
def test_other_weights_have_no_planes(weight):
    assert weight_planes(weight) is None
