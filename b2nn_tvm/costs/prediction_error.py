"""The error of a predicted time, defined once for the fit, the report, the terminal and the benchmarks."""

from __future__ import annotations


def prediction_error(predicted: float, measured: float) -> float:
    """Predicted over measured, less one: 0.1 is a prediction that is 10 % of the measured value too high."""
    return predicted / measured - 1
