"""What Lightning runs: the learning rate of each step, the loss that must stay a number, processes that start alike."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from b2nn_tvm.data import TensorImages
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.training.train import train
from tests.support.mixbin.training import network
from tests.support.mixbin.training_script import TORCHRUN, run_script


def test_the_learning_rate_falls_linearly_and_never_reaches_zero(data, monkeypatch):
    rates = []
    step = torch.optim.Adam.step
    monkeypatch.setattr(
        torch.optim.Adam, "step", lambda self, *a, **k: rates.append(self.param_groups[0]["lr"]) or step(self, *a, **k)
    )
    train(network(), data, epochs=2, lr=0.01, batch=32)
    assert rates == pytest.approx([0.01 * (20 - i) / 20 for i in range(20)])


def test_a_loss_that_is_no_number_stops_the_training(data):
    broken = replace(data, train=TensorImages(torch.full_like(data.train.images, math.nan), data.train.labels))
    with pytest.raises(InputError, match="loss became nan in epoch 1.*learning rate"):
        train(network(), broken, epochs=2)


@pytest.mark.sweep
def test_processes_that_start_from_different_networks_are_refused(tmp_path):
    body = """
        import os

        torch.nn.init.normal_(model[4].weight, generator=torch.Generator().manual_seed(int(os.environ["RANK"])))
        try:
            train(model, bundle, epochs=1, hardware=Hardware(accelerator="cpu"))
        except Exception as error:
            print(type(error).__name__, error, flush=True)
            os._exit(1)
    """
    out, errors = run_script(body, tmp_path, *TORCHRUN).communicate(timeout=300)
    assert "InputError process 1 starts from" in out and "seed the network alike" in out, errors
