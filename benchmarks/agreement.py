"""The check that all engines computed the same numbers: the time of another computation is worth nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from engines import Name
from rounds import Timing, Unavailable

# Relative error, ||y - reference|| / ||reference||. A binary convolution is exact but for its scale's rounding. ncnn
# keeps the weights of dense layers as float16 (4e-4). int8 is calibrated on little: it must be close, not good.
LIMITS = {"fp32": 2e-3, "int8": 0.1, "binary": 1e-5}


def drop_disagreeing(
    outcome: Mapping[Name, Timing | Unavailable], outputs: Mapping[Name, Path], *, limits: Mapping[str, float] = LIMITS
) -> dict[Name, Timing | Unavailable]:
    """``outcome``, in which an engine whose output differs from its reference is Unavailable, with the error as reason.

    The float and int8 forms are compared with onnxruntime's float result, or else with the first float result; the
    binary forms are compared with ours. Outputs may be channels-last. Engines without a file in ``outputs`` are not
    checked, nor are layers of a few bits, which only our engine computes. Raises SystemExit where our own output
    differs.
    """
    arrays = {name: np.load(path) for name, path in outputs.items() if isinstance(outcome[name], Timing)}
    first = lambda precision, engine: next(
        (
            arrays[name]
            for name in sorted(arrays, key=lambda name: name.engine != engine)
            if name.precision == precision
        ),
        None,
    )
    references = {"fp32": first("fp32", "onnxruntime"), "binary": first("binary", "b2nn")}
    references["int8"] = references["fp32"]
    checked = dict(outcome)
    for name, array in arrays.items():
        if (reference := references.get(name.precision)) is None:
            continue
        error = relative_error(array, reference)
        if not error <= limits[name.precision]:  # NaN, too
            if name.engine == "b2nn":
                raise SystemExit(
                    f"error: our {name.precision} result differs from the reference by {error:.2g} of its norm"
                )
            checked[name] = Unavailable(f"it computes something else: relative error {error:.2g}")
    return checked


def relative_error(array: np.ndarray, reference: np.ndarray) -> float:
    if array.size != reference.size:
        return float("inf")
    array = array.astype(np.float64)
    if array.shape != reference.shape and array.ndim == 4:  # one of them is channels-last
        last = array.transpose(0, 2, 3, 1), array.transpose(0, 3, 1, 2)
        array = next((a for a in last if a.shape == reference.shape), array)
    if array.shape != reference.shape:
        array = array.reshape(reference.shape)
    return float(np.linalg.norm(array - reference) / np.linalg.norm(reference))
