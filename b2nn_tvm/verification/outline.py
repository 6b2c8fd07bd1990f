"""Read an ONNX file without its weights: they stay in the file, as external data of the model that is read.

    initializer { dims: 4096, 25088  raw_data: <411 MB> }
        ->  initializer { dims: 4096, 25088  data_location: EXTERNAL  external_data: this file, offset, length }

ONNX's external data is any part of a file, and the bytes of an initializer stand in one piece in the file of a model.
So onnxruntime maps them into memory, and nobody copies them. Source: onnx.ai/onnx/repo-docs/ExternalData.html, and
protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

LARGE = 2**16  # bytes; smaller initializers stay in the model
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_GRAPH = onnx.ModelProto.DESCRIPTOR.fields_by_name["graph"].number
_INITIALIZER = onnx.GraphProto.DESCRIPTOR.fields_by_name["initializer"].number
_RAW_DATA, _EXTERNAL = (TensorProto.DESCRIPTOR.fields_by_name[name].number for name in ("raw_data", "external_data"))


def read_outline(path: Path) -> onnx.ModelProto:
    """The model in a file, without reading large weights and external data.

    Raises DecodeError where the file is no protobuf message of a model.
    """
    with path.open("rb") as file:
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                model: onnx.ModelProto = onnx.ModelProto.FromString(_model(content, path.name))
                return model
        except ValueError:  # an empty file, or one that this simple reader does not understand
            return onnx.load(path, load_external_data=False)


class StoredWeights(Mapping[str, np.ndarray]):
    """The initializers of a graph that are external data in ``folder``, by name; they are read when they are asked
    for, and not kept.
    """

    def __init__(self, graph: onnx.GraphProto, folder: Path) -> None:
        self._folder = folder
        external = (tensor for tensor in graph.initializer if tensor.data_location == TensorProto.EXTERNAL)
        self._tensors = {tensor.name: tensor for tensor in external}

    def __getitem__(self, name: str) -> np.ndarray:
        tensor = TensorProto()
        tensor.CopyFrom(self._tensors[name])  # which receives the bytes
        array: np.ndarray = numpy_helper.to_array(tensor, str(self._folder))
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


@dataclass(frozen=True)
class _Field:
    """A field of a message that stands from ``begin`` to ``end`` in the file; its value begins at ``value``."""

    number: int
    kind: int
    begin: int
    value: int
    end: int


def _model(content: mmap.mmap, name: str) -> bytes:
    parts = []
    for field in _fields(content, 0, len(content)):
        if (field.number, field.kind) == (_GRAPH, _BYTES):
            parts.append(_message(_GRAPH, _graph(content, field, name)))
        else:
            parts.append(content[field.begin : field.end])
    return b"".join(parts)


def _graph(content: mmap.mmap, graph: _Field, name: str) -> bytes:
    parts = []
    for field in _fields(content, graph.value, graph.end):
        large = (field.number, field.kind) == (_INITIALIZER, _BYTES) and field.end - field.value >= LARGE
        parts.append(
            _message(_INITIALIZER, _tensor(content, field, name)) if large else content[field.begin : field.end]
        )
    return b"".join(parts)


def _tensor(content: mmap.mmap, tensor: _Field, name: str) -> bytes:
    fields = list(_fields(content, tensor.value, tensor.end))
    data = [field for field in fields if (field.number, field.kind) == (_RAW_DATA, _BYTES)]
    if len(data) != 1 or any(field.number == _EXTERNAL for field in fields):
        return content[tensor.value : tensor.end]
    place = TensorProto(data_location=TensorProto.EXTERNAL)
    for key, value in (("location", name), ("offset", data[0].value), ("length", data[0].end - data[0].value)):
        place.external_data.add(key=key, value=str(value))
    parts = [content[field.begin : field.end] for field in fields if field is not data[0]]
    return b"".join([*parts, place.SerializeToString()])


def _fields(content: mmap.mmap, begin: int, end: int) -> Iterator[_Field]:
    """The fields of the message from ``begin`` to ``end``; raises ValueError where it is cut short or of a form that
    protobuf does not write any more.
    """
    while begin < end:
        tag, value = _varint(content, begin, end)
        kind, after = tag & 7, value
        if kind == _BYTES:
            size, value = _varint(content, value, end)
            after = value + size
        elif kind == _VARINT:
            _, after = _varint(content, value, end)
        elif kind in (_FIXED32, _FIXED64):
            after = value + (4 if kind == _FIXED32 else 8)
        else:
            raise ValueError(f"a field of the kind {kind}")
        if after > end:
            raise ValueError("a field is cut short")
        yield _Field(tag >> 3, kind, begin, value, after)
        begin = after


def _varint(content: mmap.mmap, position: int, end: int) -> tuple[int, int]:
    """The number at ``position``, of at most ten bytes, and the position behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            raise ValueError("a number is cut short")
        byte = content[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise ValueError("a number of more than ten bytes")


def _message(number: int, content: bytes) -> bytes:
    """A field that holds a message."""
    return _varint_bytes(number << 3 | _BYTES) + _varint_bytes(len(content)) + content


def _varint_bytes(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)
