"""The penalty on the scales, by hand and in training."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.data import DataBundle, TensorImages
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.slimming.train_sparse import SparseScales, slim_train
from tests.support.mixbin.slimmable import Branches, block


def test_the_penalty_adds_the_signs_of_the_scales_to_their_gradients():
    torch.manual_seed(0)
    model = block(3, 4)
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([0.5, -0.25, 0.0, 2.0]))
    x, labels = torch.randn(5, 3, 4, 4), torch.tensor([0, 1, 2, 3, 0])
    gradients = []
    for objective in (SparseScales(0.01, (model[1].weight,)), lambda y, batch: F.cross_entropy(y, batch[1])):
        model.zero_grad()
        objective(model(x).mean(dim=(2, 3)), (x, labels)).backward()
        gradients.append(model[1].weight.grad.clone())
    torch.testing.assert_close(gradients[0] - gradients[1], torch.tensor([0.01, -0.01, 0.0, 0.01]))


def test_training_with_the_penalty_makes_the_scales_small():
    torch.manual_seed(0)
    split = lambda: TensorImages(torch.randn(32, 3, 8, 8), torch.randint(0, 3, (32,)))
    data = DataBundle("noise", split(), split(), split(), ("a", "b", "c"), (3, 8, 8), (0,) * 3, (1,) * 3)
    sums = []
    for strength in (1e-9, 1e-1):
        torch.manual_seed(0)
        model = Branches()
        result = slim_train(model, data, epochs=3, strength=strength, lr=0.05, batch=16)
        assert [record.stage for record in result.history] == ["sparse"] * 3
        norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
        sums.append(sum(float(norm.weight.detach().abs().sum()) for norm in norms))
    assert sums[1] < 0.9 * sums[0]
    with pytest.raises(InputError, match=r"there are 0, and it is 0.0001"):
        slim_train(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), data, epochs=1)
