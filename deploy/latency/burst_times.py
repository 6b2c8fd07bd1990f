"""From bursts to times: what a network needs when nothing disturbs it, and what was observed.

Another program on the machine makes most runs of a burst slower, seldom all of them, and it makes the reference network
slower, too. So a burst counts by its low time, and by its ratio to the two bursts of the reference around it. Bursts
whose neighbours disagree, or are slower than the reference can be, were disturbed and do not count where there are
enough others.

Bursts come in sessions: in each one the device loads the networks anew, at other places in memory. A network's time
depends on these places, by one or two percent, because they decide which data share a set of the caches. So the
interval of a time comes from the differences between sessions, which the bursts of one session do not show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

LOW = 0.2  # the quantile of a burst's runs that is its low time
FEW = 10  # a burst of fewer runs has no low quantile: its least time counts
REFERENCE_LOW = 0.1  # the quantile of the reference's low times at which it is taken to run undisturbed
AGREE = 0.05  # two bursts of the reference this much apart saw a change of the machine's speed
NEAR = 0.08  # a burst of the reference this much above its undisturbed time was disturbed
ENOUGH = 5  # so many undisturbed bursts decide alone
FEW_QUIET = 3  # so many undisturbed bursts say more than any disturbed ones
FEW_SESSIONS = 3
_STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.2)
_TWO_SIDED = 2.0  # standard errors to each side of an estimate: about 95 %
_MEDIAN_ERROR = 1.2533  # standard error of a median over that of a mean, for normal errors
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True)
class Bracket:
    """The low times in milliseconds of one burst [values] and of the reference's bursts right before and after it.

    ``low_ms`` has one value for whole inferences, or one for each layer of a profiled burst. ``after_ms`` is NaN where
    the device was lost before the second burst of the reference. ``session`` tells in which session it ran.
    """

    low_ms: tuple[float, ...]
    before_ms: float
    after_ms: float
    session: int = 0


@dataclass(frozen=True)
class Estimate:
    """A time in milliseconds with its 95 % interval ``low_ms`` to ``high_ms``.

    It comes from ``bursts`` bursts, ``quiet`` of which were undisturbed. Where fewer than ENOUGH were, it is concluded
    from disturbed ones, and ``disturbed`` is true.
    """

    ms: float
    low_ms: float
    high_ms: float
    bursts: int
    quiet: int

    @property
    def disturbed(self) -> bool:
        return self.quiet < ENOUGH

    @property
    def precision(self) -> float:
        """The half of the interval as a share of the time."""
        return (self.high_ms - self.low_ms) / 2 / self.ms if self.ms else math.inf


def low_time(run_ms: Sequence[float]) -> float:
    """The low time of a burst: the 20 % quantile of its runs, or the least of fewer than ten."""
    return float(np.quantile(run_ms, LOW)) if len(run_ms) >= FEW else float(min(run_ms))


def reference_time(low_ms: Sequence[Sequence[float]]) -> Estimate:
    """The undisturbed time of the reference network, from the low times of all its bursts in each session.

    It is the mean over the sessions that were not disturbed as a whole.
    """
    sessions = [_low_level(session) for session in low_ms if session]
    fastest = min(session.ms for session in sessions)
    quiet = [session for session in sessions if session.ms <= fastest * (1 + NEAR)]
    bursts, undisturbed = sum(session.bursts for session in sessions), sum(session.quiet for session in quiet)
    if len(quiet) == 1:
        return replace(quiet[0], bursts=bursts)
    levels = np.array([session.ms for session in quiet])
    ms, half = float(levels.mean()), _half_interval(levels)
    return Estimate(ms, ms - half, ms + half, bursts, undisturbed)


def _low_level(low_ms: Sequence[float]) -> Estimate:
    """The low quantile of the low times of one session's bursts."""
    ordered = np.sort(np.asarray(low_ms))
    count = len(ordered)
    level = float(np.quantile(ordered, REFERENCE_LOW))
    # The ranks between which a quantile lies: its own rank and two binomial standard deviations to each side.
    reach = _TWO_SIDED * math.sqrt(count * REFERENCE_LOW * (1 - REFERENCE_LOW))
    rank = REFERENCE_LOW * (count - 1)
    low = float(ordered[max(0, math.floor(rank - reach))])
    high = float(ordered[min(count - 1, math.ceil(rank + reach))])
    quiet = int(np.sum(ordered <= level * (1 + NEAR)))
    return Estimate(level, low, high, count, quiet)


def undisturbed_times(
    brackets: Sequence[Bracket],
    reference: Estimate,
    *,
    levels_ms: Sequence[float] | None = None,
) -> tuple[Estimate, ...]:
    """The undisturbed time of each value of the bursts, in the milliseconds of the undisturbed ``reference``.

    ``levels_ms`` are the undisturbed times of the reference around each burst, where they are known: a machine's clock
    may have been lower for a while. A burst is undisturbed where both of its neighbours are near this level.
    The undisturbed bursts count, by their ratios to the reference: the median in each session, and the mean over the
    sessions. Where there are fewer than FEW_QUIET, the ENOUGH bursts count whose neighbours agree and were fastest.
    """
    low = np.array([bracket.low_ms for bracket in brackets])
    around = np.array([(bracket.before_ms, bracket.after_ms) for bracket in brackets])
    around = np.where(np.isnan(around), around[:, ::-1], around)
    complete = np.array([not math.isnan(bracket.after_ms) for bracket in brackets])
    agreeing = complete & (np.ptp(around, axis=1) <= AGREE * around.min(axis=1))
    levels = np.full(len(low), reference.ms) if levels_ms is None else np.asarray(levels_ms)
    quiet = agreeing & (around.max(axis=1) <= levels * (1 + NEAR))
    found, scale = int(quiet.sum()), reference.ms
    best_first = np.lexsort((around.max(axis=1), ~agreeing, ~quiet))
    used = best_first[: found if found >= FEW_QUIET else ENOUGH]
    sessions = np.array([bracket.session for bracket in brackets])[used]
    ratios = low[used] / around[used].mean(axis=1, keepdims=True)
    estimates = [_over_sessions(column, sessions) for column in ratios.T]
    return tuple(Estimate(m * scale, (m - h) * scale, (m + h) * scale, len(low), found) for m, h in estimates)


def _over_sessions(ratios: np.ndarray, sessions: np.ndarray) -> tuple[float, float]:
    """(The mean over sessions of the ratios' medians, the half of its interval).

    Where three sessions and more are left, those that are slower than most were disturbed, and do not count. The
    interval of a single session comes from the deviations of its bursts.
    """
    medians = np.array([np.median(ratios[sessions == session]) for session in np.unique(sessions)])
    if len(medians) > 1:
        usual = medians[medians <= np.median(medians) * (1 + NEAR)]
        medians = usual if len(usual) >= FEW_SESSIONS else medians
        return float(medians.mean()), _half_interval(medians)
    return float(medians[0]), interval_of_bursts(ratios)


def interval_of_bursts(ratios: np.ndarray) -> float:
    """The half of the 95 % interval of the median of ratios of bursts, from their deviations."""
    sigma = _MAD_TO_SIGMA * np.median(np.abs(ratios - np.median(ratios)))
    half = _TWO_SIDED * _MEDIAN_ERROR * sigma / math.sqrt(len(ratios))
    # With few bursts their deviations understate the error; their whole range does not.
    return float(max(half, np.ptp(ratios) / 2 if len(ratios) <= ENOUGH else 0.0))


def student(count: int) -> float:
    """Student's t: so many standard errors to each side hold 95 % of the means of two values or more."""
    return _STUDENT[min(count - 2, len(_STUDENT) - 1)]


def _half_interval(values: np.ndarray) -> float:
    """The half of the 95 % interval of the mean of two values or more."""
    return float(student(len(values)) * values.std(ddof=1) / math.sqrt(len(values)))
