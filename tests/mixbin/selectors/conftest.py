"""One toy, trained once, and the losses of its mixtures."""

from __future__ import annotations

import pytest

from tests.support.mixbin import toy


@pytest.fixture(scope="session")
def data():
    return toy.images()


@pytest.fixture(scope="session")
def model(data):
    return toy.trained(data)


@pytest.fixture(scope="session")
def batches(data):
    return data.calibration(64, batch=64)


@pytest.fixture(scope="session")
def truth(model, batches):
    return toy.Truth(model, batches[0])
