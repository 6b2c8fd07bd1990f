"""A hash is that of every bit of a model or of batches, and of their shapes and types."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from b2nn_tvm.mixbin.training.digests import batches_digest, model_digest


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))


def flip_last_bit(model):
    model[0].weight.data.view(torch.int32)[1, 0, 2, 2] ^= 1


CHANGES = {
    "one bit of a weight": flip_last_bit,
    "a buffer": lambda model: model[1].running_mean.fill_(0.5),
    "the structure": lambda model: model.append(nn.ReLU()),
    "a setting without a tensor": lambda model: setattr(model[1], "eps", 1e-3),
    "the type": lambda model: model.double(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_a_model_changes_its_hash(change):
    model = network()
    before = model_digest(model)
    assert before == model_digest(network()) and len(before) == 64
    CHANGES[change](model)
    assert model_digest(model) != before


def test_modes_and_memory_formats_are_no_difference():
    model = network()
    before = model_digest(model)
    assert model_digest(model.eval().to(memory_format=torch.channels_last)) == before


def test_the_order_and_the_cut_of_batches_count():
    torch.manual_seed(0)
    images, labels = torch.randn(4, 1, 2, 2), torch.tensor([0, 1, 2, 3])
    cut = lambda size: list(zip(images.split(size), labels.split(size), strict=True))
    found = [batches_digest(batches) for batches in (cut(2), cut(2)[::-1], cut(4), cut(2)[:1], [])]
    assert len(set(found)) == len(found)
    assert batches_digest(iter(cut(2))) == found[0]
    assert batches_digest([(images.to(torch.float64), labels)]) != batches_digest(cut(4))
