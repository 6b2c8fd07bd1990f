"""How far two sets of outputs are apart, and how far they may be apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

TOLERANCE = 1e-4  # of the largest magnitude of an output
HALF_TOLERANCE = 1e-2  # the same for float16 outputs, and for all floats of a network that has some inside


def relative_difference(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> float:
    """The largest |ours - theirs| of any output, relative to that output's largest finite magnitude.

    It is inf where shapes or types differ, or where one value is not finite and the other value differs from it.
    """
    return max((_difference(ours[name], expected) for name, expected in theirs.items()), default=0.0)


def excess(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray], *, half: bool = False) -> float:
    """The largest relative difference of any output as a multiple of what is allowed: up to 1 they agree; ``half`` as
    in tolerance().
    """
    return max(
        (_difference(ours[name], want) / tolerance(want.dtype, half=half) for name, want in theirs.items()), default=0.0
    )


def tolerance(dtype: np.dtype, *, half: bool = False) -> float:
    """The largest relative difference between two right values of an output of this type; ``half``: some value of the
    network has half precision.
    """
    return HALF_TOLERANCE if dtype == np.float16 or (half and dtype.kind == "f") else TOLERANCE


def loses_infinities(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> list[str]:
    """The outputs that are finite somewhere where they should be infinite or NaN.

    The opposite is no fault: convolutions that share products between pixels (Winograd), or that compute a pixel from
    more than its window with weights of zero, spread a NaN further than the definition does.
    """
    return [
        name
        for name, expected in theirs.items()
        if np.issubdtype(expected.dtype, np.floating) and bool((np.isfinite(ours[name]) & ~np.isfinite(expected)).any())
    ]


def _difference(got: np.ndarray, expected: np.ndarray) -> float:
    if got.shape != expected.shape or got.dtype != expected.dtype:
        return float("inf")
    got, expected = got.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(expected)
    if not np.array_equal(got[~finite], expected[~finite], equal_nan=True) or not np.isfinite(got[finite]).all():
        return float("inf")
    scale = max(float(np.abs(expected[finite]).max(initial=0.0)), float(np.finfo(np.float32).tiny))
    return float(np.abs(got[finite] - expected[finite]).max(initial=0.0)) / scale
