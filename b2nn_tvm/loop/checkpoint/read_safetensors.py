"""Read a file of the safetensors format: 8 bytes with the length of a JSON header, the header, the tensors' bytes.

The format is that of https://github.com/huggingface/safetensors#format. All numbers are little-endian.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch

from b2nn_tvm.errors import InputError

_HEADER_LIMIT = 100_000_000  # the format's own limit
_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def is_safetensors(path: Path) -> bool:
    """Whether the file begins with a length and a JSON object, as only this format does."""
    with path.open("rb") as file:
        head = file.read(9)
    return len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") <= _HEADER_LIMIT


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of the file by name; raises InputError where the file is cut short or its header is damaged."""
    content = bytearray(path.read_bytes())
    begin = 8 + int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8:begin].decode("utf-8")) if begin <= len(content) else None
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise InputError(f"{path}: expected a safetensors file, but its header is damaged or cut short; copy it again")
    data = memoryview(content)[begin:]
    return {name: _tensor(path, name, entry, data) for name, entry in header.items() if name != "__metadata__"}


def _tensor(path: Path, name: str, entry: Any, data: memoryview) -> torch.Tensor:
    try:
        word, shape, (first, last) = entry["dtype"], entry["shape"], entry["data_offsets"]
    except (TypeError, KeyError, ValueError):
        raise InputError(f"{path}: the safetensors header is damaged at {name!r}; copy the file again") from None
    if word not in _TYPES:
        raise InputError(f"{path}: {name} is of type {word}; expected one of {', '.join(_TYPES)}")
    dtype = _TYPES[word]
    sizes = [*shape, first, last] if isinstance(shape, list) else [None]
    whole = all(type(size) is int and size >= 0 for size in sizes)
    if not whole or not first <= last <= len(data) or last - first != math.prod(shape) * dtype.itemsize:
        raise InputError(
            f"{path}: the bytes of {name} are not those of a tensor {shape}: the file is cut short or damaged"
        )
    if first == last:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(data[first:last], dtype=dtype).reshape(shape).clone()
