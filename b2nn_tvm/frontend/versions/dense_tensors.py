"""Sparse constants of an ONNX file become dense ones, which all later steps read:

sparse_initializer w {values [n], indices [n] or [n, rank], dims}  ->  initializer w
Constant <sparse_value>                                            ->  Constant <value>
"""

from __future__ import annotations

import math

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_names import quoted
from b2nn_tvm.frontend.checks.check_sizes import LARGEST_VALUE
from b2nn_tvm.frontend.checks.check_tensor import MOST_DIMENSIONS, check_tensor
from b2nn_tvm.frontend.checks.walk_model import all_graphs, all_nodes
from b2nn_tvm.words.number_of import number_of


def make_dense(model: onnx.ModelProto) -> None:
    """Write the sparse initializers and sparse Constants of the model, and of all graphs in it, densely, in place.

    Raises InputError where one of them does not hold together, before it is allocated.
    """
    left = LARGEST_VALUE  # elements of all of them together
    for graph in all_graphs(model):
        for sparse in graph.sparse_initializer:
            left -= _elements(sparse, left)
            graph.initializer.append(_dense(sparse))
        graph.ClearField("sparse_initializer")
    for node in all_nodes(model):
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.HasField("sparse_tensor"):
                left -= _elements(attribute.sparse_tensor, left)
                attribute.CopyFrom(helper.make_attribute("value", _dense(attribute.sparse_tensor)))


def _elements(sparse: onnx.SparseTensorProto, most: int) -> int:
    """The number of elements of the dense tensor; raises InputError where there cannot be so many."""
    dims = list(sparse.dims)
    if len(dims) > MOST_DIMENSIONS or any(size < 0 for size in dims):
        raise _damaged(sparse, f"has the impossible shape {dims[:MOST_DIMENSIONS]}")
    count: int = math.prod(dims)
    if count > most:
        raise InputError(
            f"the sparse tensor {quoted(sparse.values.name)} has the shape {'x'.join(map(str, dims))}; sparse tensors "
            f"of more than {LARGEST_VALUE} elements together are not taken"
        )
    return count


def _dense(sparse: onnx.SparseTensorProto) -> TensorProto:
    values, indices = _array(sparse, sparse.values), _array(sparse, sparse.indices)
    dims = tuple(sparse.dims)
    if indices.dtype != np.int64 or values.ndim != 1 or indices.shape not in ((len(values),), (len(values), len(dims))):
        raise _damaged(sparse, f"has {number_of(values.size, 'value')}, but indices of the shape {list(indices.shape)}")
    limits = np.array(dims if indices.ndim > 1 else math.prod(dims), np.int64)
    if ((indices < 0) | (indices >= limits)).any():
        raise _damaged(sparse, "has indices outside of its shape")
    dense = np.zeros(dims, values.dtype)
    if indices.ndim > 1:
        dense[tuple(indices.T)] = values
    else:
        dense.reshape(-1)[indices] = values
    return numpy_helper.from_array(dense, sparse.values.name)


def _array(sparse: onnx.SparseTensorProto, tensor: TensorProto) -> np.ndarray:
    check_tensor(tensor)
    if tensor.data_location == TensorProto.EXTERNAL or tensor.data_type == TensorProto.STRING:
        raise _damaged(sparse, "holds text, or is stored in another file")
    return numpy_helper.to_array(tensor)


def _damaged(sparse: onnx.SparseTensorProto, what: str) -> InputError:
    return InputError(f"the sparse tensor {quoted(sparse.values.name)} {what}; export the model with dense tensors")
