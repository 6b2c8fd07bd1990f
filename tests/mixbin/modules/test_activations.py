"""The activations by hand-computed values."""

import pytest
import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules import activations as activation

X = torch.tensor([-3.0, -1.0, -0.5, 0.0, 0.5, 2.0])
EXPECTED = {
    "relu": [0.0, 0.0, 0.0, 0.0, 0.5, 2.0],
    "prelu": [-0.75, -0.25, -0.125, 0.0, 0.5, 2.0],
    "rprelu": [-0.75, -0.25, -0.125, 0.0, 0.5, 2.0],
    "hardtanh": [-1.0, -1.0, -0.5, 0.0, 0.5, 1.0],
    "leaky_clip": [-1.2, -1.0, -0.5, 0.0, 0.5, 1.1],
    "binrelu": [-1.0, -1.0, -0.5, 0.0, 0.5, 2.0],
}


def test_every_name_has_an_expected_value():
    assert set(activation.names()) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_values(name):
    x = X.expand(2, 4, 1, -1)
    y = activation.make(name, channels=4)(x)
    assert y.shape == x.shape
    torch.testing.assert_close(y, torch.tensor(EXPECTED[name]).expand_as(x))


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - {"relu"}))
def test_all_but_relu_keep_the_sign(name):
    assert torch.equal(activation.make(name, channels=1)(X.reshape(1, 1, 1, -1)) >= 0, X.reshape(1, 1, 1, -1) >= 0)


@pytest.mark.parametrize("name", EXPECTED)
def test_values_of_signals(name):
    x = X.expand(2, 4, -1)
    y = activation.make(name, channels=4, axes=1)(x)
    torch.testing.assert_close(y, torch.tensor(EXPECTED[name]).expand_as(x))


def test_rprelu_shifts_per_channel():
    rprelu = activation.make("rprelu", channels=2)
    with torch.no_grad():
        rprelu.shift_in.copy_(torch.tensor([1.0, 0.0])[:, None, None])
        rprelu.shift_out.copy_(torch.tensor([0.0, 5.0])[:, None, None])
    assert rprelu(torch.ones(1, 2, 1, 1) * -1).flatten().tolist() == [-0.5, 4.75]


def test_binrelu_passes_the_gradient_above_its_floor():
    x = torch.tensor([-2.0, -0.5, 3.0], requires_grad=True)
    activation.BinReLU()(x).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0]


def test_an_unknown_name_lists_the_choices():
    with pytest.raises(InputError, match="'swish'; choose one of relu, prelu, rprelu, hardtanh, leaky_clip, binrelu"):
        activation.make("swish", channels=3)
