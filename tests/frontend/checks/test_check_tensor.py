"""The bytes of a tensor are as many as its shape and type ask for."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_tensor import check_tensor, size_bytes

TYPES = [
    *(np.float16, np.float32, np.float64, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64),
    *(np.uint64, np.bool_, np.complex64, np.complex128, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.int4),
    ml_dtypes.uint4,
]


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 5)])
def test_tensors_as_onnx_writes_them(dtype, shape):
    raw = numpy_helper.from_array(np.ones(shape, dtype), "w")
    check_tensor(raw)
    assert size_bytes(raw) == len(raw.raw_data)
    count = int(np.prod(shape))
    numbers = helper.make_tensor("w", raw.data_type, shape, np.ones(count, dtype))
    check_tensor(numbers)
    if count:
        raw.raw_data += b"\0"
        with pytest.raises(InputError, match=f"needs {len(raw.raw_data) - 1} bytes, but the file holds"):
            check_tensor(raw)
        del getattr(numbers, helper.tensor_dtype_to_field(numbers.data_type))[-1]
        with pytest.raises(InputError, match="numbers, but the file holds"):
            check_tensor(numbers)


def test_segments():
    tensor = numpy_helper.from_array(np.ones(3, np.float32), "w")
    tensor.segment.begin = 1
    with pytest.raises(InputError, match="the tensor 'w' is stored in segments"):
        check_tensor(tensor)


def test_strings():
    tensor = helper.make_tensor("words", TensorProto.STRING, (2,), [b"a", b"b"])
    check_tensor(tensor)
    tensor.dims[0] = 3
    with pytest.raises(InputError, match=r"'words' of the shape \[3\] needs 3 strings, but the file holds 2"):
        check_tensor(tensor)


@pytest.mark.parametrize("dims", [(-1,), (2, -(2**63)), (1,) * 33])
def test_impossible_shapes(dims):
    with pytest.raises(InputError, match="'w' has the impossible shape"):
        check_tensor(TensorProto(name="w", dims=dims, data_type=TensorProto.FLOAT, raw_data=b"1234"))


@pytest.mark.parametrize("dims", [(2**31,), (2**62, 2**62), (2**31, 2**31, 2**31)])
def test_a_huge_shape_is_only_a_number(dims):
    with pytest.raises(InputError, match="needs [0-9]+ bytes, but the file holds 4"):
        check_tensor(TensorProto(name="w", dims=dims, data_type=TensorProto.FLOAT, raw_data=b"1234"))


@pytest.mark.parametrize("kind", [0, 99, -5])
def test_unknown_types(kind):
    with pytest.raises(InputError, match=f"'w' has the unknown type {kind}"):
        check_tensor(TensorProto(name="w", dims=[1], data_type=kind, raw_data=b"1234"))
