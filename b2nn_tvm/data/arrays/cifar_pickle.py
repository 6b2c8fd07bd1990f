"""The pickles of CIFAR (Krizhevsky, 2009), read so that a hostile file can run nothing.

Unpickling calls whatever functions a file names. The real files name three functions, to rebuild one array of bytes.
Here stand-ins take the place of these functions and only collect their arguments, so that not even numpy sees values
that have not been checked.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np

from b2nn_tvm.errors import InputError


def load(content: bytes, *, source: str) -> dict[str, Any]:
    """The dictionary in a pickle whose text is latin1: strings, numbers, lists, and arrays as uint8.

    Raises InputError, beginning with ``source``, where the pickle is damaged or names any other function or type.
    """
    try:
        found = _Unpickler(io.BytesIO(content), encoding="latin1").load()
        if not isinstance(found, dict):
            raise pickle.UnpicklingError(f"it holds no dictionary, but {type(found).__name__}")
        return {key: value.pixels if isinstance(value, _Array) else value for key, value in found.items()}
    except Exception as error:  # noqa: BLE001 - pickle's documentation lets damaged content raise anything
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(f"{source}: expected a pickle of CIFAR, but it is refused ({reason}); get it anew") from None


class _Array:
    """A stand-in for numpy.ndarray that takes the state of an array of uint8."""

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, column_major, content = state
        if not isinstance(kind, _Kind) or kind.name not in ("u1", "|u1"):
            raise pickle.UnpicklingError("it has an array that is not uint8")
        pixels = np.frombuffer(content.encode("latin1"), np.uint8)
        self.pixels = pixels.reshape(shape, order="F" if column_major else "C").copy()


class _Kind:
    """A stand-in for numpy.dtype that keeps the name of the type."""

    def __init__(self, name: str):
        self.name = name

    def __setstate__(self, state: Any) -> None:
        """Ignore the state: the order of bytes and its other values mean nothing for single bytes."""


# The stand-ins are functions rather than the classes, because a pickle may set attributes of the object that it gets.
_STAND_INS = {
    ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): lambda name, *_: _Kind(name),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no file of CIFAR does")
        return _STAND_INS[module, name]
