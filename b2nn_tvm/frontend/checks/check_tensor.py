"""Check that a tensor of an ONNX file holds the bytes that its shape and type ask for, before anything is allocated."""

from __future__ import annotations

import math

from onnx import TensorProto, helper

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.checks.check_names import quoted

MOST_DIMENSIONS = 32
# Types with less than a byte for an element; the others have the size of their numpy type. Older onnx has not all.
_BITS = {"UINT4": 4, "INT4": 4, "FLOAT4E2M1": 4, "UINT2": 2, "INT2": 2}


def check_tensor(tensor: TensorProto) -> None:
    """Raise InputError where the tensor's dimensions are impossible, or its values are not as many as they say."""
    what = f"the tensor {quoted(tensor.name)}"
    if len(tensor.dims) > MOST_DIMENSIONS or any(size < 0 for size in tensor.dims):
        shape = list(tensor.dims[:MOST_DIMENSIONS])
        raise InputError(f"{what} has the impossible shape {shape}; the file is damaged: export it again")
    name = _type_name(tensor, what)
    if tensor.HasField("segment"):
        raise InputError(f"{what} is stored in segments, which onnx itself does not read; export the model again")
    if tensor.data_location == TensorProto.EXTERNAL:
        return  # external_data.py compares it with its file
    if name == "STRING":
        _compare(what, tensor, len(tensor.string_data), math.prod(tensor.dims), "strings")
    elif tensor.HasField("raw_data"):
        _compare(what, tensor, len(tensor.raw_data), size_bytes(tensor), "bytes")
    else:
        count = math.prod(tensor.dims)
        per_number = 8 // _BITS[name] if name in _BITS else 1
        numbers = 2 * count if name.startswith("COMPLEX") else -(-count // per_number)
        _compare(what, tensor, len(getattr(tensor, helper.tensor_dtype_to_field(tensor.data_type))), numbers, "numbers")


def size_bytes(tensor: TensorProto) -> int:
    """The number of bytes of the tensor's values by its shape and type; raises InputError for an unknown type."""
    name = _type_name(tensor, f"the tensor {quoted(tensor.name)}")
    bits: int = _BITS.get(name) or 8 * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    count: int = math.prod(tensor.dims)
    return -(-count * bits // 8)


def _type_name(tensor: TensorProto, what: str) -> str:
    names = {number: name for name, number in TensorProto.DataType.items()}
    name: str = names.get(tensor.data_type, "UNDEFINED")
    if name == "UNDEFINED":
        raise InputError(
            f"{what} has the unknown type {tensor.data_type}; the file is damaged, or newer than onnx here"
        )
    return name


def _compare(what: str, tensor: TensorProto, found: int, expected: int, unit: str) -> None:
    if found != expected:
        raise InputError(
            f"{what} of the shape {list(tensor.dims)} needs {expected} {unit}, but the file holds {found}; the file is "
            "damaged: download it or export it again"
        )
