"""The accuracy that a front has within some milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from b2nn_tvm.study.table import Row


def accuracy_within(rows: Iterable[Row], ms: float) -> float | None:
    """The test accuracy in percent at ``ms`` on the straight line between the two nearest of the measured ``rows``.

    Above the slowest network it is that network's accuracy, as it keeps the time, too. None below the fastest one.
    """
    points = sorted({row.ms: 100 * row.test for row in rows if row.ms is not None}.items())
    if not points or ms < points[0][0]:
        return None
    times, accuracies = zip(*points, strict=True)
    return float(np.interp(ms, times, accuracies))


def mean_ms(rows: Sequence[Row]) -> float | None:
    """The mean milliseconds of the rows that were measured, None where none was."""
    found = [row.ms for row in rows if row.ms is not None]
    return sum(found) / len(found) if found else None


def within_by_seed(rows: Iterable[Row], ms: float) -> Mapping[int, float]:
    """The accuracy of each seed's front within ``ms``, for the seeds that have a network as fast."""
    of: dict[int, list[Row]] = {}
    for row in rows:
        of.setdefault(row.seed, []).append(row)
    found = {seed: accuracy_within(own, ms) for seed, own in of.items()}
    return {seed: accuracy for seed, accuracy in found.items() if accuracy is not None}
