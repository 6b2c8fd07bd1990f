"""Quantiles of rows of samples are those of numpy."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from b2nn_tvm.deploy.library.write_sources import write_runner_sources


class Samples(ctypes.Structure):
    _fields_ = (
        ("values", ctypes.POINTER(ctypes.c_double)),
        ("count", ctypes.c_long),
        ("room", ctypes.c_long),
        ("width", ctypes.c_long),
    )


class Statistics(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_double) for name in ("least", "p10", "median", "p90"))


@pytest.fixture(scope="module")
def statistics(workshop, tmp_path_factory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("statistics")
    write_runner_sources(folder, compiler="cc")
    sources = [str(folder / name) for name in ("statistics.c", "support.c")]
    workshop.compile(
        workshop.target(), "-shared", "-fPIC", f"-I{folder}", *sources, "-o", str(folder / "statistics.so")
    )
    library = ctypes.CDLL(str(folder / "statistics.so"))
    library.new_row.restype = ctypes.POINTER(ctypes.c_double)
    library.summarize.restype, library.summarize.argtypes = Statistics, (ctypes.POINTER(Samples), ctypes.c_long)
    return library


@pytest.mark.parametrize("count", [1, 2, 3, 10, 64, 65, 200])
def test_quantiles_lie_between_two_samples_by_a_straight_line(statistics, count):
    """More rows than there is room for at first, in no order, and with ties."""
    values, samples = np.random.default_rng(count).integers(0, 50, (count, 3)) / 8, Samples(width=3)
    for row in values:
        new = statistics.new_row(ctypes.byref(samples))
        assert new[:3] == [0, 0, 0]
        for column, value in enumerate(row):
            new[column] = value
    for column in range(3):
        found, column_values = statistics.summarize(ctypes.byref(samples), column), values[:, column]
        expected = [column_values.min(), *np.percentile(column_values, [10, 50, 90])]
        assert [found.least, found.p10, found.median, found.p90] == pytest.approx(expected, abs=1e-12)


def test_without_samples_all_is_zero(statistics):
    found = statistics.summarize(ctypes.byref(Samples(width=1)), 0)
    assert (found.least, found.p10, found.median, found.p90) == (0, 0, 0, 0)
