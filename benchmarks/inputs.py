"""The input of every measurement. Each engine's process imports this file, so it needs nothing but numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def random_input(shape: Sequence[int], *, seed: int = 1) -> np.ndarray:
    """A float32 array of standard normal numbers, the same in every process."""
    return np.random.default_rng(seed).standard_normal(tuple(shape)).astype(np.float32)
