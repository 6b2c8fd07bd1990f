"""Arrays in another order keep their values."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.provenance.memory_order import contiguous


@pytest.mark.parametrize("shape", [(3, 5), (63, 65), (200, 128), (1, 1), (0, 4)])
@pytest.mark.parametrize("dtype", ["float32", "int8", "bool"])
def test_a_transposed_matrix_is_copied(shape, dtype):
    matrix = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    for view in (matrix.T, matrix[:, ::-1], matrix[::2].T):
        copy = contiguous(view)
        assert copy.flags.c_contiguous and copy.dtype == view.dtype
        np.testing.assert_array_equal(copy, view)


def test_what_is_in_order_is_not_copied():
    matrix = np.ones((3, 4))
    assert contiguous(matrix) is matrix
    np.testing.assert_array_equal(contiguous(np.arange(8).reshape(2, 2, 2).T), np.arange(8).reshape(2, 2, 2).T)
