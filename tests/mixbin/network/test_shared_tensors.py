"""Which convolutions read one tensor and which read one another, on networks that each hold one structure."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm import models
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.mixbin.network.shared_tensors import chains, shared_inputs


def conv(inputs: int = 4, outputs: int = 4) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


class Branches(nn.Module):
    """stem -> {a behind a ReLU, b behind a batch norm, c behind a pooling}; the sum of a and b -> d."""

    def __init__(self):
        super().__init__()
        self.stem, self.a, self.b, self.c, self.d = conv(3), conv(), conv(), conv(), conv()
        self.bn, self.act = nn.BatchNorm2d(4), nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.stem(x)
        pooled = self.c(F.max_pool2d(x, 2))
        return self.d(self.a(self.act(x)) + self.b(self.bn(x))), pooled


LAYERS = ("a", "b", "c", "d")


def test_what_a_reader_does_to_each_channel_belongs_to_the_reader() -> None:
    assert shared_inputs(Branches(), LAYERS) == (("a", "b"),)


def test_groups_are_of_the_layers_in_question_in_network_order() -> None:
    assert shared_inputs(Branches(), ("d", "a")) == ()
    assert shared_inputs(Branches(), ("a", "b")) == shared_inputs(Branches(), ("b", "a"))


def test_a_chain_leads_through_poolings_but_not_through_sums() -> None:
    assert chains(Branches(), ("stem", *LAYERS)) == (("stem", "c"), ("stem", "a"), ("stem", "b"))
    assert chains(Branches(), LAYERS) == ()


def test_activations_and_batch_norms_that_are_called_as_functions() -> None:
    class Functions(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.a, self.b = conv(3), conv(), conv()
            self.bn = nn.BatchNorm2d(4)

        def forward(self, x):
            x = self.stem(x)
            x = F.batch_norm(x, self.bn.running_mean, self.bn.running_var)
            return self.a(torch.relu(x)), self.b(F.dropout(x.clamp(-1, 1)))

    assert shared_inputs(Functions(), ("a", "b")) == (("a", "b"),)
    assert chains(Functions(), ("stem", "a", "b")) == (("stem", "a"), ("stem", "b"))


def test_the_expansions_of_squeezenet_share_the_squeezed_tensor() -> None:
    model = models.squeezenet(classes=5, width=4)
    eligible = trace(model, (3, 17, 17)).eligible
    groups = shared_inputs(model, eligible)
    assert groups == tuple((f"fire{n}.expand1x1", f"fire{n}.expand3x3") for n in range(2, 10))
    squeezed = {(f"fire{n}.squeeze.conv", f"fire{n}.expand{kernel}") for n in range(2, 10) for kernel in ("1x1", "3x3")}
    assert set(chains(model, eligible)) == squeezed & {(one, two) for one in eligible for two in eligible}


def test_a_bireal_network_shares_nothing_and_a_plain_chain_is_one() -> None:
    bireal = models.bireal18(classes=5, width=4)
    eligible = trace(bireal, (3, 224, 224)).eligible
    assert shared_inputs(bireal, eligible) == () and chains(bireal, eligible) == ()
    vgg = models.vgg_small(classes=5, width=4)
    eligible = trace(vgg, (3, 32, 32)).eligible
    assert chains(vgg, eligible) == tuple(itertools.pairwise(eligible))
    assert shared_inputs(vgg, eligible) == ()


@pytest.mark.parametrize("function", [shared_inputs, chains])
def test_an_unknown_layer_is_refused(function) -> None:
    with pytest.raises(InputError, match="no layer e; its layers are stem"):
        function(Branches(), ("a", "e"))
