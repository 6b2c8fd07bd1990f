"""Training on a small part of the digits, at 8x8 pixels, with a net of three convolutions, by one thread."""

from __future__ import annotations

import pytest
from torch import nn

from b2nn_tvm.data import DataBundle
from b2nn_tvm.mixbin.training.hardware import Hardware
from b2nn_tvm.mixbin.training.train import train
from tests.support.mixbin.training import few_digits, network


@pytest.fixture(autouse=True, scope="module")
def _one_thread(one_thread: None) -> None:
    """Trainings are so small here that threads would wait for one another."""


@pytest.fixture(scope="session")
def data() -> DataBundle:
    return few_digits()


@pytest.fixture(scope="session")
def teacher(data) -> nn.Module:
    """A trained network; it is made before ``one_thread`` of the first module, so it asks for one thread itself."""
    model = network()
    train(model, data, epochs=8, lr=5e-3, batch=32, hardware=Hardware(threads=1))
    return model
