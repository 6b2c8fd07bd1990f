"""Read the bytes of an ONNX file into a ModelProto, or say what the file is instead."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.file_kind import check_kind, likely_kind
from b2nn_tvm.words.number_of import number_of

LARGEST_FILE = 2**31 - 1  # bytes of one protobuf message (protobuf.dev/programming-guides/proto-limits)
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types (protobuf.dev/programming-guides/encoding)


def read_model_file(path: Path) -> onnx.ModelProto:
    """The model in the file, without its external data.

    Raises InputError where there is no such file, or where it is no ONNX model, with what it is instead.
    """
    check_kind(path)
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise InputError(
            f"{path}: expected an ONNX model of at most 2 GiB, but the file has {size} bytes; save larger weights "
            "beside it, as external data"
        )
    content = path.read_bytes()
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(content)
    except DecodeError:
        raise InputError(f"{path}: expected an ONNX model, but {_damage(path, content)}") from None
    if not model.graph.node or not model.opset_import:
        raise InputError(
            f"{path}: expected an ONNX model, but the file holds no graph; "
            + (likely_kind(path) or "it is cut short, or no ONNX: download it or export it again")
        )
    return model


def _damage(path: Path, content: bytes) -> str:
    """Why ``content`` cannot be read: it is cut short, or no ONNX at all."""
    missing = _missing_bytes(content)
    if missing:
        return (
            f"the file is cut short: {number_of(missing, 'byte')} {'is' if missing == 1 else 'are'} missing behind"
            f" its {len(content)}, or it is damaged; download "
            "it or export it again"
        )
    hint = likely_kind(path) or "it is damaged, or no ONNX: download it or export it again"
    return f"the file cannot be read as one; {hint}"


def _missing_bytes(content: bytes) -> int:
    """How many bytes the last field of the file lacks; 0 where the fields end with the file or are no protobuf's."""
    position = 0
    while position < len(content):
        tag, position = _varint(content, position)
        if not 8 <= tag < 2**10:  # fields of a ModelProto have numbers below 128
            return 0
        if tag & 7 == _BYTES:
            size, position = _varint(content, position)
            position += size
        elif tag & 7 == _VARINT:
            _, position = _varint(content, position)
        elif tag & 7 in (_FIXED32, _FIXED64):
            position += 4 if tag & 7 == _FIXED32 else 8
        else:
            return 0
    return position - len(content) if position - len(content) <= LARGEST_FILE else 0


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """The number at ``position``, of at most ten bytes, and the position behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(content):
            return value, position + 1  # one byte at least is missing
        byte = content[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
    return value, position
