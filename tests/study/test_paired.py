"""Intervals, paired tests and Holm's correction against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest

from b2nn_tvm.study.paired import compare, holm, paired


def test_paired_differences_of_known_numbers() -> None:
    # Differences 1, 2, 3: mean 2, deviation 1, t(0.975, 2) = 4.302653, t = 2 sqrt(3), p = 1 - t / sqrt(2 + t^2).
    found, p = paired({0: 11.0, 1: 22.0, 2: 33.0}, {0: 10.0, 1: 20.0, 2: 30.0})
    assert found.mean == 2.0 and found.count == 3
    assert found.half_width == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert p == pytest.approx(1 - math.sqrt(12) / math.sqrt(14), rel=1e-6)


def test_only_seeds_of_both_count() -> None:
    found, _ = paired({0: 1.0, 1: 2.0, 5: 9.0}, {0: 1.0, 1: 1.0, 7: 0.0})
    assert (found.mean, found.count) == (0.5, 2)


def test_the_same_networks_do_not_differ() -> None:
    found, p = paired({0: 0.3, 1: 0.7}, {0: 0.3, 1: 0.7})
    assert (found.mean, found.half_width, p) == (0.0, 0.0, 1.0)


def test_equal_differences_tell_nothing_of_their_spread() -> None:
    # 0.1 + 0.2 - 0.2 is not 0.1 in floats; that is no spread.
    found, p = paired({0: 0.1 + 0.2, 1: 0.5}, {0: 0.2, 1: 0.4})
    assert found.half_width == math.inf and p == 1.0


def test_a_single_seed_tells_nothing() -> None:
    found, p = paired({0: 0.9}, {0: 0.1})
    assert found.half_width == math.inf and p == 1.0


def test_holm_of_known_numbers() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_comparisons_are_corrected_together() -> None:
    reference = {seed: 50.0 + seed for seed in range(5)}
    shifted = lambda by: {seed: value + by + 0.1 * (seed % 2) for seed, value in reference.items()}
    noisy = {seed: value + (-1) ** seed * 3 for seed, value in reference.items()}
    names = {"a": shifted(9), "b": shifted(-9), "c": noisy, "ref": reference}
    trainings = {name: {seed: f"{name}{seed}" for seed in range(5)} for name in names}
    trainings["c"][3] = "ref3"
    better, worse, tied = compare(names, "ref", trainings=trainings)
    assert [each.verdict for each in (better, worse, tied)] == ["better", "worse", "not told apart"]
    assert better.holm == pytest.approx(3 * better.p) or better.holm == pytest.approx(2 * better.p)
    assert tied.holm == tied.p and tied.alike == 1 and better.alike == 0
