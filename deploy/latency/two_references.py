"""Undisturbed times from bursts beside two references: one that streams many weights, and one that hardly has any.

What slows a machine down for a while is of two kinds. A program on the core's sibling thread, or a lower clock, makes
all networks slower by about the same factor. Whoever takes the shared caches or the memory makes those networks slower
whose weights come from there. No single reference follows both: beside it a network with another share of such weights
is faster at one time and slower at another. With two references R and S, which are slowed down by the two in different
ways, a network is modelled as a mixture

    T = a R + b S,  a, b >= 0

whose parts are found from the network's own bursts, by the least sum of relative deviations. It holds in all of them,
disturbed or not, so that all count. The undisturbed time is the mixture of the undisturbed times of both references.

The interval comes from leaving out one session after the other (the jackknife: Efron and Stein, Annals of Statistics
1981), so that it covers places in memory, as well as parts that are not well known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from b2nn_tvm.deploy.latency.burst_times import (
    AGREE,
    ENOUGH,
    FEW_SESSIONS,
    NEAR,
    Bracket,
    Estimate,
    interval_of_bursts,
    student,
)

STEADY = 0.15  # of a burst whose references changed by more from before to after it, nobody knows what it saw
_ROUNDS = 12  # of reweighting
_LEAST = 0.002  # deviations below count as this one
_SHORTEST = 0.25  # of the mean time: by a coarse clock a short layer may take no time at all in some bursts
_TIE = 1e-6  # so strongly, a burst being 1, the parts are held to halves, where the bursts leave them open


@dataclass(frozen=True)
class SecondBracket(Bracket):
    """A burst with the low times of the second reference as well, right before and after it."""

    second_before_ms: float = math.nan
    second_after_ms: float = math.nan


def mixed_times(brackets: Sequence[SecondBracket], reference: Estimate, second: Estimate) -> tuple[Estimate, ...]:
    """The undisturbed time of each value of the bursts, in the milliseconds of the undisturbed references.

    A burst is called undisturbed where the second reference was about as fast as it can be before and after it.
    """
    low = np.array([bracket.low_ms for bracket in brackets])
    around = np.array(
        [[(each.before_ms, each.after_ms), (each.second_before_ms, each.second_after_ms)] for each in brackets]
    )  # [bursts, references, 2]
    complete = ~np.isnan(around).any(axis=(1, 2))
    around = np.where(np.isnan(around), around[..., ::-1], around)
    apart = (np.ptp(around, axis=2) / around.min(axis=2)).max(axis=1)
    best_first = np.lexsort((apart, ~complete))
    steady = int(np.sum(complete & (apart <= STEADY)))
    used = best_first[: max(steady, ENOUGH)]
    of_second = around[:, 1]
    agreeing = complete & (np.ptp(of_second, axis=1) <= AGREE * of_second.min(axis=1))
    quiet = int(np.sum(agreeing & (of_second.max(axis=1) <= second.ms * (1 + NEAR))))
    sessions = np.array([bracket.session for bracket in brackets])[used]
    levels = np.array([reference.ms, second.ms])
    relative = around[used].mean(axis=2) / levels  # [bursts, references]: how much slower each one was
    estimates = [_mixed(column, relative, sessions) for column in low[used].T]
    return tuple(Estimate(ms, ms - half, ms + half, len(low), quiet) for ms, half in estimates)


def _mixed(times: np.ndarray, relative: np.ndarray, sessions: np.ndarray) -> tuple[float, float]:
    """(The undisturbed time, the half of its interval) of the times [bursts] of a network, where the references were
    slower than undisturbed by the factors ``relative`` [bursts, references].
    """
    if not times.any():  # a layer without work
        return 0.0, 0.0
    names = np.unique(sessions)
    kept = np.ones((1 + len(names), len(times)))
    kept[1:] = sessions != names[:, None]
    if len(names) < FEW_SESSIONS:
        (parts,) = _parts(times, relative, kept[:1])
        ms = float(parts.sum())
        return ms, interval_of_bursts(times / (relative @ parts)) * ms
    found = _parts(times, relative, kept).sum(axis=1)
    ms, others, count = float(found[0]), found[1:], len(names)
    error = math.sqrt((count - 1) / count * float(np.sum((others - others.mean()) ** 2)))
    return ms, student(count) * error


def _parts(times: np.ndarray, relative: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The parts [fits, references] of a mixture that deviate least from the times [bursts], for each row of the bursts
    that are ``kept`` [fits, bursts]: milliseconds at the undisturbed references.

    Least absolute relative deviations by reweighted least squares (Schlossmacher, JASA 1973).
    """
    system = relative / np.maximum(times, _SHORTEST * times.mean())[:, None]  # a mixture that is right is 1 in each row
    half = 0.5 / np.median(system.mean(axis=1))
    held = _TIE / half**2  # of parts that are off by half of the time
    weights = kept
    for _ in range(_ROUNDS):
        (aa, ab), (_, bb) = np.einsum("fn,nr,ns->rsf", weights, system, system)
        a_1, b_1 = np.einsum("fn,nr->rf", weights, system)
        strength = held * weights.sum(axis=1)
        aa, bb, a_1, b_1 = aa + strength, bb + strength, a_1 + strength * half, b_1 + strength * half
        determinant = aa * bb - ab * ab
        a, b = (bb * a_1 - ab * b_1) / determinant, (aa * b_1 - ab * a_1) / determinant
        without_b, without_a = b < 0, a < 0  # then the best mixture is of the other one alone
        a = np.where(without_b, a_1 / aa, np.where(without_a, 0, a))
        b = np.where(without_a, b_1 / bb, np.where(without_b, 0, b))
        parts = np.stack([a, b], axis=1)
        weights = kept / np.maximum(np.abs(parts @ system.T - 1), _LEAST)
        weights /= weights.sum(axis=1, keepdims=True) / kept.sum(axis=1, keepdims=True)
    return parts
