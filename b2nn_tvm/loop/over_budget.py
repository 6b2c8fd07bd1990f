"""Why no delivered library keeps a budget in milliseconds: what was measured, and what to do."""

from __future__ import annotations

import math
from collections.abc import Sequence

from b2nn_tvm.costs.budget import quantile_word
from b2nn_tvm.loop.measuring.network_time import NetworkTime

FINEST = 0.001  # no finer precision can be asked for
ROOM = 0.98  # a search for this share of the budget leaves room for what delivered libraries need in addition


def over_budget(times: Sequence[NetworkTime], limit_ms: float, *, quantile: float | None = None) -> str:
    """The text of the error where none of the delivered libraries, which took ``times``, keeps ``limit_ms``.

    It is about the fastest one: its undisturbed time with the interval, or its observed one at ``quantile``.
    """
    time = min(times, key=lambda time: time.upper_ms(quantile))
    which = "the delivered library" if len(times) == 1 else f"the fastest of {len(times)} delivered libraries"
    if quantile is not None:
        return _observed(which, time, limit_ms, quantile)
    interval = f"{time.low_ms:.4g} to {time.high_ms:.4g} ms"
    if time.ms > limit_ms:
        return (
            f"{which} needs {time.ms:.4g} ms (95 % interval {interval}), over the budget of {limit_ms:.4g} ms: allow at"
            f" least {_rounded_up(time.high_ms)} ms, or leave room with a budget of {ROOM * limit_ms:.4g} ms"
        )
    missing = (limit_ms - time.ms) / time.ms
    finer = f"measure with --precision {math.floor(1000 * missing) / 10:g}%, or " if missing >= FINEST else ""
    return (
        f"{which} needs {time.ms:.4g} ms, within the budget of {limit_ms:.4g} ms, but the 95 % interval of this time,"
        f" {interval}, reaches over it: {finer}allow at least {_rounded_up(time.high_ms)} ms"
    )


def _observed(which: str, time: NetworkTime, limit_ms: float, quantile: float) -> str:
    word, ms = quantile_word(quantile), time.at(quantile)
    undisturbed = (
        f", or give the budget as {limit_ms:.4g}ms, which it keeps when nothing disturbs it"
        if time.keeps(limit_ms)
        else ""
    )
    return (
        f"{which} took {ms:.4g} ms at {word} of {time.runs} observed runs, over the budget of {limit_ms:.4g} ms at"
        f" {word} (undisturbed it needs {time.ms:.4g} ms): allow at least {_rounded_up(ms)}ms@{word}, or measure anew"
        f" with --fresh while nothing else runs there{undisturbed}"
    )


def _rounded_up(ms: float) -> str:
    """Four digits that are not below ``ms``."""
    step = 10.0 ** (math.floor(math.log10(ms)) - 3)
    return f"{math.ceil(ms / step) * step:.4g}"
