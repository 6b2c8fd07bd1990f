"""What stands for a binary convolution in a file computes what the layer computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from b2nn_tvm import reference
from b2nn_tvm.errors import InputError
from b2nn_tvm.export.binary_functions import deploy_form
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.modules.binary_conv1d import BinaryConv1d


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("binarizer", ["xnor", "distribution-aware"])
@pytest.mark.parametrize(("input_binary", "pad_value"), [(True, 0), (True, -1), (False, 1)])
def test_the_plain_form_computes_what_the_layer_computes(binarizer, input_binary, pad_value):
    options = {"padding": (1, 0, 2, 1), "stride": (2, 1), "learned_threshold": input_binary, "bias": True}
    conv = BinaryConv2d(
        5, 3, (3, 2), binarizer=binarizer, input_binary=input_binary, pad_value=pad_value, **options
    ).eval()
    form = deploy_form(conv, name="block.conv", form="plain")
    x = torch.randn(2, 5, 6, 7)
    with torch.no_grad():
        torch.testing.assert_close(form(x), conv(x), rtol=1e-5, atol=1e-5)
    assert not list(form.parameters())
    assert (form.box_sum is not None) == (binarizer == "distribution-aware")


@pytest.mark.parametrize("binarizer", ["xnor", "distribution-aware"])
@pytest.mark.parametrize("kind", [nn.Conv1d, nn.Conv2d])
def test_groups_and_signals(binarizer, kind):
    make = BinaryConv1d if kind is nn.Conv1d else BinaryConv2d
    conv = make.from_conv(kind(32, 6, 3, padding=1, groups=2), binarizer=binarizer, pad_value=1).eval()
    x = torch.randn(2, 32, 7) if kind is nn.Conv1d else torch.randn(2, 32, 5, 7)
    form = deploy_form(conv, name="conv", form="plain")
    with torch.no_grad():
        torch.testing.assert_close(form(x), conv(x), rtol=1e-5, atol=1e-5)
    bits = deploy_form(conv, name="conv", form="function").weight
    assert bits.shape == (6, 1 if kind is nn.Conv1d else 3, 3, 2)


def test_the_function_carries_bits_scales_and_thresholds():
    conv = BinaryConv2d(9, 2, (1, 3), learned_threshold=True)
    with torch.no_grad():
        conv.threshold.copy_(torch.arange(9) / 8)
    form = deploy_form(conv, name="block.conv", form="function")
    assert form.weight.shape == (2, 1, 3, 2) and form.weight.dtype == torch.uint8
    signs = reference.unpack(form.weight.numpy(), 9).transpose(0, 3, 1, 2)
    assert torch.equal(torch.from_numpy(signs) > 0, conv.weight >= 0)
    torch.testing.assert_close(form.scale, conv.weight.detach().abs().mean(dim=(1, 2, 3)))
    assert torch.equal(form.threshold, conv.threshold)


def test_a_float_input_has_no_threshold():
    form = deploy_form(BinaryConv2d(4, 2, (1, 1), input_binary=False), name="conv", form="function")
    assert form.threshold is None and not form.input_binary


def test_float_weights_are_refused():
    conv = BinaryConv2d(4, 2, (1, 1))
    conv.weight_binary = False
    with pytest.raises(InputError, match=r"layer block\.conv still has float weights .*; finish its training"):
        deploy_form(conv, name="block.conv", form="plain")
