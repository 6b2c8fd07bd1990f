"""Sparse constants as the dense ones that they stand for."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.read_onnx import load_model
from b2nn_tvm.frontend.versions.dense_tensors import make_dense
from tests.support.networks.onnx_models import model, save
from tests.support.networks.same_results import image, run

DENSE = np.zeros((3, 4, 2, 2), np.float32)
DENSE[[0, 1, 2, 2], [3, 0, 1, 3], [0, 1, 1, 0], [1, 0, 1, 1]] = [1, -2, 3, 0.5]


def sparse(indices, values=DENSE[DENSE != 0], dims=DENSE.shape, name="w"):
    tensors = numpy_helper.from_array(np.asarray(values), name), numpy_helper.from_array(np.asarray(indices), "")
    return helper.make_sparse_tensor(*tensors, list(dims))


@pytest.mark.parametrize("indices", [np.flatnonzero(DENSE), np.argwhere(DENSE)])
def test_initializers_and_constants(indices, tmp_path):
    built = model(
        "v = Mul (w, two) a = Conv (input, v) b = Conv (input, c) output = Add (a, b)", {"two": np.float32(2)}
    )
    built.graph.sparse_initializer.append(sparse(indices))
    built.graph.node.insert(0, helper.make_node("Constant", [], ["c"], sparse_value=sparse(indices)))
    plain = model("output = Conv (input, w)", {"w": 3 * DENSE})
    path = save(tmp_path, built)
    np.testing.assert_allclose(run(load_model(path), image())[0], run(plain, image())[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run(onnx.load(path), image())[0], run(plain, image())[0], rtol=1e-5, atol=1e-6)


def test_nothing_but_zeros():
    built = model("output = Conv (input, w)")
    built.graph.sparse_initializer.append(sparse(np.zeros(0, np.int64), np.zeros(0, np.float32)))
    make_dense(built)
    assert not numpy_helper.to_array(built.graph.initializer[0]).any() and not built.graph.sparse_initializer


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (sparse([4, 99, 5, 6]), "indices outside of its shape"),
        (sparse([4, -1, 5, 6]), "indices outside of its shape"),
        (sparse([4, 5, 6]), r"has 4 values, but indices of the shape \[3\]"),
        (sparse([[1, 2]] * 4), r"has 4 values, but indices of the shape \[4, 2\]"),
        (sparse(np.float32([1, 2, 3, 4])), "has 4 values, but indices"),
        (sparse([1, 2, 3, 4], dims=(2**20, 2**20)), "the shape 1048576x1048576"),
        (sparse([1, 2, 3, 4], dims=(2, -1)), "the impossible shape"),
        (sparse([1, 2, 3, 4], dims=(2**27,) * 40), "the impossible shape"),
    ],
)
def test_what_does_not_hold_together(tensor, text):
    built = model("output = Conv (input, w)")
    built.graph.sparse_initializer.append(tensor)
    with pytest.raises(InputError, match=f"the sparse tensor 'w' .*{text}"):
        make_dense(built)


def test_many_large_ones():
    built = model("output = Conv (input, w)")
    for _ in range(3):
        built.graph.sparse_initializer.append(sparse([0, 1, 2, 3], dims=(2**28 - 5,), name="w"))
        built.graph.sparse_initializer[-1].values.dims[0] = 3  # damaged, too: sizes are asked first
    with pytest.raises(InputError):
        make_dense(built)
