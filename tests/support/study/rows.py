"""Rows of studies that were never run, with chosen accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from b2nn_tvm.study.table import Row


def made_up(
    accuracies: Mapping[str, Sequence[float]], *, part: str = "methods", budget: str = "40", layers: str = "a b"
) -> list[Row]:
    """A row per method and seed with this accuracy on the test set."""
    return [
        Row(
            part=part,
            method=method,
            budget=budget,
            seed=seed,
            layers=layers,
            share=0.4,
            flops=400,
            float_flops=1000,
            topped_up=0,
            validation_before=0.1,
            test_before=0.1,
            validation=test,
            test=test,
            epochs=3,
            seconds=1.0,
            training=f"networks/seed-{seed}/{method}",
            model="net",
            width=8,
            activation="binrelu",
            data="digits",
            images=100,
            tested=1000,
            float_epochs=5,
        )
        for method, values in accuracies.items()
        for seed, test in enumerate(values)
    ]


def timed(method: str, points: Mapping[str, tuple[float, Sequence[float]]]) -> list[Row]:
    """The rows of a front: for each budget the milliseconds, and the accuracy of each seed."""
    measured = {"target": "native (sse)", "cpu": "a CPU", "threads": 1}
    return [
        replace(row, ms=ms, low_ms=0.9 * ms, high_ms=1.1 * ms, **measured)
        for budget, (ms, accuracies) in points.items()
        for row in made_up({method: accuracies}, part="fronts", budget=budget)
    ]
