"""Merge groups of a convolution until its filters and channels fill the vectors of 8-bit layers.

    groups 32, 4 channels and 4 filters each  ->  groups 8, 16 channels and 16 filters each, 3/4 of the weights are 0

A vector of filters reads the channels of one group. Instructions that add up four products of a vector of 16 filters
compute the zeros in less time than loops of single products take for the rest.
"""

from __future__ import annotations

import numpy as np


def merge_groups(weight: np.ndarray, groups: int, *, lanes: int, run: int) -> tuple[np.ndarray, int] | None:
    """The weights [O, C / groups, kh, kw] of the fewest groups merged at a time, and how many groups are left, so that
    the filters of each fill vectors of ``lanes``, and its channels words of ``run``; a single group may have any size.

    None where more than ``lanes`` groups would have to be merged: then nearly all of the weights would be 0.
    """
    outputs, channels = len(weight) // groups, weight.shape[1]
    for merged in range(1, min(lanes, groups) + 1):
        fills = outputs * merged % lanes == 0 and channels * merged % run == 0
        if groups % merged == 0 and (fills or merged == groups):
            return _block_diagonal(weight, groups, merged), groups // merged
    return None


def _block_diagonal(weight: np.ndarray, groups: int, merged: int) -> np.ndarray:
    """The same convolution with ``merged`` groups for one: weights [O, merged * C / groups, kh, kw]."""
    outputs, channels, *kernel = weight.shape
    filters = weight.reshape(groups // merged, merged, outputs // groups, channels, *kernel)
    full = np.zeros((groups // merged, merged, outputs // groups, merged, channels, *kernel), weight.dtype)
    for place in range(merged):
        full[:, place, :, place] = filters[:, place]
    return full.reshape(outputs, merged * channels, *kernel)
