"""Arrays of numpy in a pickle, read without numpy's own functions: {"conv1.weight": numpy.array(...)}.

A pickle rebuilds an array by calls, _reconstruct(ndarray, (0,), b"b") and then a state of shape, type, order and bytes,
or, from protocol 5 on, _frombuffer(bytes, type, shape, order). The stand-ins here keep what such a call is given.
"""

from __future__ import annotations

import math
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from b2nn_tvm.loop.checkpoint.pickled_names import MAGIC
from b2nn_tvm.loop.checkpoint.stand_ins import StandIn, stand_in

_TYPES = ("b1", "f2", "f4", "f8", *(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)))
_DEEPEST = 8


class BytesStandIn:
    """In place of _codecs.encode and bytes(), by which old protocols write bytes."""

    def __new__(cls, text: object = "", *encoding: object) -> Any:
        """The bytes that ``text`` stands for."""
        return text.encode("latin-1") if isinstance(text, str) else b""


class TypeStandIn(StandIn):
    """In place of numpy.dtype("f4", False, True), whose state has the order of the bytes in its second place."""

    def __init__(self, word: object = "", *arguments: Any) -> None:
        """Keep the ``word``."""
        super().__init__(*arguments)
        self._word = str(word)

    @property
    def numpy(self) -> np.dtype[Any] | None:
        """The type, None where it is of no numbers."""
        if self._word not in _TYPES:
            return None
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "<"
        return np.dtype(self._word).newbyteorder(">" if order == ">" else "<")


class ArrayStandIn(StandIn):
    """In place of numpy's _reconstruct and _frombuffer."""

    def __init__(self, *arguments: Any) -> None:
        """Keep the ``arguments``."""
        super().__init__(*arguments)
        self._arguments = arguments

    def tensor(self) -> torch.Tensor | None:
        """The tensor of the same numbers; None where it holds other things, or is damaged."""
        if isinstance(self.state, tuple) and len(self.state) >= 4:
            shape, kind, column_major, content = self.state[-4:]
        elif len(self._arguments) == 4:
            content, kind, shape, order = self._arguments
            column_major = order == "F"
        else:
            return None
        dtype = kind.numpy if isinstance(kind, TypeStandIn) else None
        if isinstance(shape, int):
            shape = (shape,)
        if dtype is None or not isinstance(content, bytes | bytearray) or not isinstance(shape, tuple):
            return None
        if not all(isinstance(size, int) and size >= 0 for size in shape):
            return None
        if len(content) != math.prod(shape) * dtype.itemsize:
            return None
        array = np.frombuffer(bytes(content), dtype).reshape(shape, order="F" if column_major else "C")
        return torch.from_numpy(array.astype(dtype.newbyteorder("="), order="C", copy=True))


def array_stand_in(name: str) -> type:
    """The stand-in for the class or function ``name``, with its module."""
    package, _, last = name.rpartition(".")
    if package.startswith("numpy.") and last in ("_reconstruct", "_frombuffer"):
        return ArrayStandIn
    if name in ("_codecs.encode", "builtins.bytes", "__builtin__.bytes"):
        return BytesStandIn
    return TypeStandIn if name == "numpy.dtype" else stand_in(name)


def with_tensors(loaded: Any, depth: int = 0) -> Any:
    """``loaded`` with tensors in place of the stand-ins for arrays of numbers, in dicts, lists and tuples."""
    if isinstance(loaded, ArrayStandIn):
        tensor = loaded.tensor()
        return loaded if tensor is None else tensor
    if depth == _DEEPEST:
        return loaded
    if isinstance(loaded, Mapping):
        return {key: with_tensors(value, depth + 1) for key, value in loaded.items()}
    if type(loaded) in (list, tuple):
        return type(loaded)(with_tensors(value, depth + 1) for value in loaded)
    return loaded


def is_plain_pickle(path: Path) -> bool:
    """Whether pickle.dump wrote the file, and not torch.save in its old format, which begins with a number."""
    with path.open("rb") as file:
        head = file.read(32)
    return (
        head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5") and MAGIC.to_bytes(10, "little") not in head
    )


def read_plain_pickle(path: Path) -> Any:
    """The content of a file that pickle.dump wrote, with tensors for arrays of numbers, and stand-ins for all else that
    is no plain data. Nothing in it is called. Raises ValueError where it holds no such array.
    """
    with path.open("rb") as file:
        try:
            loaded = with_tensors(_Inert(file).load())
        except (AttributeError, TypeError):  # a stand-in is no container, as the object would be
            loaded = None
    if not _has_tensors(loaded):
        raise ValueError("a pickle, but none of torch.save, and without arrays of numpy; write it by torch.save")
    return loaded


class _Inert(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return OrderedDict if name == "OrderedDict" else array_stand_in(f"{module}.{name}")


def _has_tensors(loaded: Any) -> bool:
    if isinstance(loaded, Mapping):
        return any(map(_has_tensors, loaded.values()))
    return isinstance(loaded, torch.Tensor) or (type(loaded) in (list, tuple) and any(map(_has_tensors, loaded)))
