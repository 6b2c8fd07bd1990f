"""Tiny networks for tests of scores: one whose Hessian is known, and one that was trained."""

from __future__ import annotations

import pytest

from tests.support.mixbin import explicit_hessian, three_layers


@pytest.fixture(scope="session")
def tiny():
    return explicit_hessian.network()


@pytest.fixture(scope="session")
def tiny_batches():
    return explicit_hessian.batches()


@pytest.fixture(scope="session")
def derivatives(tiny, tiny_batches):
    return explicit_hessian.derivatives(tiny, tiny_batches)


@pytest.fixture(scope="session")
def small_batches():
    return three_layers.batches()


@pytest.fixture(scope="session")
def small(small_batches):
    return three_layers.trained(small_batches)
