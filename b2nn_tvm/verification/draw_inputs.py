"""Inputs to check a library with: ordinary ones, those at the borders of what floats and integers are, and NaN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.verification.input_uses import Use

if TYPE_CHECKING:
    from b2nn_tvm.deploy.codegen.program import TensorSpec

NO_THRESHOLDS = np.zeros(0)
SHARE = 0.1  # of an input's values that lie at a border


class Draw(Enum):
    """NORMAL: normal floats, integers of the whole range that their use allows. BORDERS: among normal floats zeros of
    both signs, the smallest numbers, and the network's own thresholds with their neighbours; integers at the ends of
    their range. NOT_FINITE: among normal floats infinities and NaN.
    """

    NORMAL = "normal"
    BORDERS = "borders"
    NOT_FINITE = "not finite"


def draw_inputs(
    specs: Sequence[TensorSpec],
    rng: np.random.Generator,
    kind: Draw = Draw.NORMAL,
    *,
    uses: Mapping[str, Use] = {},
    thresholds: np.ndarray = NO_THRESHOLDS,
    timid: bool = False,
) -> dict[str, np.ndarray]:
    """One input of each name. ``uses`` says what integers mean; ``thresholds`` are numbers with which the network
    compares. Where ``timid``, integers of which nothing is known are 0 or 1.
    """
    return {spec.name: _draw(spec, rng, kind, uses.get(spec.name), thresholds, timid) for spec in specs}


def _draw(
    spec: TensorSpec, rng: np.random.Generator, kind: Draw, use: Use | None, thresholds: np.ndarray, timid: bool
) -> np.ndarray:
    dtype = np.dtype(spec.dtype)
    if np.issubdtype(dtype, np.floating):
        return _floats(spec.shape, dtype, rng, kind, thresholds)
    if dtype.kind == "b" or use is None or (timid and not use.known):
        return rng.integers(0, 2, spec.shape).astype(dtype)
    return _integers(spec.shape, dtype, rng, kind, use)


def _floats(
    shape: tuple[int, ...], dtype: np.dtype, rng: np.random.Generator, kind: Draw, thresholds: np.ndarray
) -> np.ndarray:
    values = rng.standard_normal(shape).astype(dtype)
    if kind is Draw.NORMAL:
        return values
    special = _borders(dtype, thresholds) if kind is Draw.BORDERS else np.array([np.nan, np.inf, -np.inf], dtype)
    chosen = rng.random(shape) < SHARE
    chosen.flat[: 1 if kind is Draw.NOT_FINITE else 0] = True
    return np.where(chosen, rng.choice(special, shape), values)


def _borders(dtype: np.dtype, thresholds: np.ndarray) -> np.ndarray:
    limits = np.finfo(dtype)
    fixed = np.array([0.0, -0.0, 1, -1, limits.smallest_subnormal, -limits.smallest_subnormal, limits.tiny], dtype)
    own = np.unique(thresholds[np.isfinite(thresholds)].astype(dtype))[:100]
    around = [np.nextafter(own, np.array(side, dtype)) for side in (-np.inf, np.inf)]
    return np.concatenate([fixed, own, *around]).astype(dtype)


def _integers(shape: tuple[int, ...], dtype: np.dtype, rng: np.random.Generator, kind: Draw, use: Use) -> np.ndarray:
    values = rng.integers(use.low, use.high, shape, dtype=dtype, endpoint=True)
    if kind is not Draw.NORMAL:
        ends = np.array([use.low, use.high, max(use.low, 0), min(use.high, 1)], dtype)
        values = np.where(rng.random(shape) < SHARE, rng.choice(ends, shape), values)
    return np.where(values == 0, 1, values).astype(dtype) if use.nonzero else values
