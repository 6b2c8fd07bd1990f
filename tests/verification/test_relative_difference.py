"""How far outputs are apart, by type, and what is no number."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.verification.relative_difference import (
    HALF_TOLERANCE,
    TOLERANCE,
    excess,
    loses_infinities,
    relative_difference,
    tolerance,
)


def difference(ours, theirs, dtype="float32"):
    return relative_difference({"y": np.array(ours, dtype)}, {"y": np.array(theirs, dtype)})


def test_relative_difference():
    assert difference([1, 2, 4], [1, 2, 4]) == 0
    assert difference([1, 2, 4], [1, 2.5, 4]) == 0.125
    assert difference([0, 0], [0, 0]) == 0
    assert difference([1e-3, 0], [0, 0]) > 1
    assert difference([np.nan, 1], [np.nan, 1]) == 0
    assert difference([np.nan, 1], [0, 1]) == np.inf
    assert difference([0, 1], [np.nan, 1]) == np.inf
    assert difference([np.inf, 2], [np.inf, 1]) == 1
    assert difference([-np.inf, 1], [np.inf, 1]) == np.inf
    assert difference([3e38], [-3e38]) == pytest.approx(2)
    assert difference([True, False], [True, True], bool) == 1
    assert difference([250], [5], np.uint8) == 49
    assert difference([[1, 2]], [1, 2]) == np.inf
    assert relative_difference({"y": np.zeros(2, np.float32)}, {"y": np.zeros(2, np.float64)}) == np.inf
    assert difference([], []) == 0
    two = {"a": np.ones(1), "b": np.full(1, 2.0)}
    assert relative_difference(two, {"a": np.ones(1), "b": np.full(1, 1.0)}) == 1


def test_each_output_has_the_tolerance_of_its_type():
    ours, theirs = {"y": np.ones(2, np.float32)}, {"y": np.array([1, 1 + 5e-3], np.float32)}
    halves = {"y": ours["y"].astype(np.float16)}, {"y": theirs["y"].astype(np.float16)}
    assert excess(ours, theirs) > 1 >= excess(*halves)
    assert excess(ours, theirs, half=True) <= 1
    assert excess(ours | {"z": np.ones(1)}, ours | {"z": np.zeros(1)}) > 1
    assert (tolerance(np.dtype("f4")), tolerance(np.dtype("f2"))) == (TOLERANCE, HALF_TOLERANCE)
    assert tolerance(np.dtype("i8"), half=True) == TOLERANCE


def test_infinities_and_nan_may_spread_but_not_vanish():
    numbers, special = np.float32([1, 2, 3]), np.float32([1, np.nan, 3])
    assert loses_infinities({"y": numbers}, {"y": special}) == ["y"]
    assert loses_infinities({"y": np.float32([np.nan, np.inf, 3])}, {"y": special}) == []
    assert loses_infinities({"y": np.array([1])}, {"y": np.array([1])}) == []
