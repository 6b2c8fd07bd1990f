"""A function of arrays that is computed once for each array: many passes ask for the digest of the same weights."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import numpy as np
from numpy.lib.array_utils import byte_bounds

Result = TypeVar("Result")
_Key = tuple[int, tuple[int, ...], tuple[int, ...], np.dtype]


class OncePerArray(Generic[Result]):
    """The pure ``function`` with a memory of its results for arrays that can only be read, such as constants of Relax.

    An array is known again by the memory that it shows, its shape, strides and type. It is kept, so that its memory is
    not given to another array meanwhile. An array that can be written may change, and is computed each time.
    """

    def __init__(self, function: Callable[[np.ndarray], Result]):
        self._function = function
        self._known: dict[_Key, tuple[np.ndarray, Result]] = {}

    def __call__(self, array: np.ndarray) -> Result:
        if array.flags.writeable:
            return self._function(array)
        key = _key(array)
        if key not in self._known:
            self._known[key] = array, self._function(array)
        return self._known[key][1]

    def share(self, array: np.ndarray, copy: np.ndarray) -> None:
        """Let ``copy``, which can only be read and has the values of ``array``, have the result for ``array``."""
        self._known[_key(copy)] = copy, self(array)

    def keep_only(self, arrays: Iterable[np.ndarray]) -> None:
        """Forget the results for arrays that show no memory of ``arrays``, which keep theirs."""
        bounds = sorted(byte_bounds(array) for array in arrays)
        starts = [start for start, _ in bounds]

        def shown(array: np.ndarray) -> bool:
            start, end = byte_bounds(array)
            at = bisect_right(starts, start) - 1
            return at >= 0 and end <= bounds[at][1]

        self._known = {key: entry for key, entry in self._known.items() if shown(entry[0])}


def _key(array: np.ndarray) -> _Key:
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype
