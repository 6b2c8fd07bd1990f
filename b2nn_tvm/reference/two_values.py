"""The two values that stand for the weights of a filter, in numpy: scale * signs + offset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from b2nn_tvm.errors import InputError


@dataclass(frozen=True, eq=False)
class TwoValues:
    """``signs`` [O, C, kh, kw] of +1 and -1, ``scale`` [O] and ``offset`` [O], all float32; an offset of None is 0."""

    signs: np.ndarray
    scale: np.ndarray
    offset: np.ndarray | None = None


def two_values(weight: np.ndarray, binarizer: str = "xnor") -> TwoValues:
    """The two values of each filter of float32 weights [O, C, kh, kw].

    "xnor": +alpha and -alpha, alpha = mean |w| (Rastegari et al., XNOR-Net, equation 6). "distribution-aware": the two
    values of the least squared error (Prabhu et al., WACV 2018). Raises InputError for another name.
    """
    if binarizer == "xnor":
        signs = np.where(weight >= 0, 1, -1).astype(np.float32)
        return TwoValues(signs, np.abs(weight).mean(axis=(1, 2, 3), dtype=np.float64).astype(np.float32))
    if binarizer == "distribution-aware":
        return _distribution_aware(weight)
    raise InputError(f"there is no binarizer {binarizer!r}; choose one of xnor, distribution-aware")


def _distribution_aware(weight: np.ndarray) -> TwoValues:
    """The K largest of a filter's n weights become alpha, the mean of these K, and the others beta, the mean of those.

    K maximizes S_K^2 / K + (T - S_K)^2 / (n - K), S_K being the sum of the K largest and T of all.
    """
    rows = weight.reshape(weight.shape[0], -1).astype(np.float64)
    count = rows.shape[1]
    if count == 1:  # a single weight is its own value
        return TwoValues(np.ones_like(weight), np.zeros(len(rows), np.float32), rows[:, 0].astype(np.float32))
    order = np.argsort(-rows, axis=1, kind="stable")
    sums = np.take_along_axis(rows, order, axis=1).cumsum(axis=1)
    total, sums = sums[:, -1:], sums[:, :-1]
    sizes = np.arange(1, count)
    best = (sums**2 / sizes + (total - sums) ** 2 / (count - sizes)).argmax(axis=1)[:, None]
    chosen = np.take_along_axis(sums, best, axis=1)
    alpha, beta = (chosen / (best + 1))[:, 0], ((total - chosen) / (count - best - 1))[:, 0]
    signs = np.full(rows.shape, -1, np.float32)
    np.put_along_axis(signs, order, np.where(np.arange(count) <= best, 1, -1).astype(np.float32), axis=1)
    scale, offset = ((alpha - beta) / 2).astype(np.float32), ((alpha + beta) / 2).astype(np.float32)
    return TwoValues(signs.reshape(weight.shape), scale, offset)
