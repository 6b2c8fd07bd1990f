import numpy as np
import pytest
from tvm import relax

from b2nn_tvm.frontend.operators.node import const, dtype_of, given, sizes, word


def test_inputs_that_are_left_out():
    assert given([1, None], 0) == 1 and given([1, None], 1) is None and given([1, None], 2) is None


def test_shapes_and_types():
    x = relax.Var("x", relax.TensorType((1, 3), "float16"))
    assert sizes(x) == [1, 3] and dtype_of(x) == "float16"


def test_words_are_bytes_or_texts():
    assert word({"mode": b"linear"}, "mode", "") == word({"mode": "linear"}, "mode", "") == "linear"
    assert word({}, "mode", "nearest") == "nearest"


@pytest.mark.parametrize("dtype", ["int64", "uint8", "float64", "bool"])
def test_constants_keep_their_type(dtype):
    assert dtype_of(const(np.ones(2, dtype))) == dtype == dtype_of(const(1, dtype))
