"""SqueezeNet has the paper's parameters; its smallest image, and a fire module by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm import models
from b2nn_tvm.models.squeezenet import Fire


def test_the_smallest_image_of_squeezenet():
    model = models.squeezenet(width=4).eval()
    assert model(torch.randn(1, 3, 17, 17)).shape == (1, 1000)
    with pytest.raises(RuntimeError):
        model(torch.randn(1, 3, 16, 16))


def test_the_published_number_of_parameters():
    """SqueezeNet 1.1's 1,235,496 less its biases, with batch norm."""
    count = lambda model: sum(parameter.numel() for parameter in model.parameters())
    squeezenet = models.squeezenet()
    norms = sum(count(module) for module in squeezenet.modules() if isinstance(module, nn.BatchNorm2d))
    biases = 64 + sum(16 * i + 2 * 64 * i for i in (1, 1, 2, 2, 3, 3, 4, 4))
    assert count(squeezenet) - norms + biases == 1_235_496


@pytest.mark.parametrize(("pool", "size"), [(False, 8), (True, 4)])
def test_a_fire_module_concatenates_its_halves(pool, size):
    fire = Fire(6, 2, 4, pool=pool, activation="relu").eval()
    x = torch.randn(2, 6, 8, 8)
    squeezed = fire.squeeze(x)
    small = fire.expand1x1(squeezed) if not pool else F.max_pool2d(fire.expand1x1(squeezed), 3, 2, ceil_mode=True)
    assert fire(x).shape == (2, 8, size, size)
    torch.testing.assert_close(fire(x)[:, :4], (small / (1 + 1e-5) ** 0.5).relu())
