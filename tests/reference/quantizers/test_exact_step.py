import numpy as np
import pytest

from b2nn_tvm.reference.quantizers.exact_step import exact_threshold


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_threshold_is_the_least_float_that_is_high(dtype):
    dtype = np.dtype(dtype)
    limits = np.array([-np.inf, -3.5, -1e-7, 0, 6e-8, 0.1, 1000]).astype(dtype)
    found = exact_threshold(lambda x: x >= limits, limits.shape, dtype)
    np.testing.assert_array_equal(found, limits)
    assert found.dtype == dtype
    strict = exact_threshold(lambda x: x > limits, limits.shape, dtype)
    np.testing.assert_array_equal(strict, np.nextafter(limits, dtype.type(np.inf)))


def test_what_its_operators_round_counts():
    step = np.float32(0.1)
    is_high = lambda x: np.round(x / step) >= 3
    found = exact_threshold(is_high, (), np.dtype(np.float32))
    assert is_high(found) and not is_high(np.nextafter(found, np.float32(-1)))


def test_a_function_that_is_never_high():
    assert exact_threshold(lambda x: np.zeros(x.shape, bool), (), np.dtype(np.float32)) == np.inf
