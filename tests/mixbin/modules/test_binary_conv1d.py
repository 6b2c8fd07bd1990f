"""A binary convolution of signals against the reference on images of one row: equal bit for bit."""

import numpy as np
import pytest
import torch
from torch import nn

from b2nn_tvm import reference
from b2nn_tvm.mixbin.modules.binary_conv1d import BinaryConv1d


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"padding": 1}, (2, 33, 9)),
        ({"padding": "same", "dilation": 2, "bias": False}, (1, 64, 12)),
        ({"stride": 2, "groups": 2, "bias": False}, (3, 32, 11)),
    ],
)
def test_the_sums_of_a_signal(options, shape):
    torch.manual_seed(0)
    conv = nn.Conv1d(shape[1], 6, 3, **options)
    binary = BinaryConv1d.from_conv(conv, learned_threshold=True, pad_value=-1)
    assert set(binary.state_dict()) == {*conv.state_dict(), "threshold"}
    assert binary.weight.shape == conv.weight.shape
    x = torch.randn(shape)
    with torch.no_grad():
        binary.threshold.normal_()
        found = binary(x).numpy()
    sums = reference.binary_conv2d(
        reference.sign(x.numpy(), binary.threshold.detach().numpy()[:, None])[:, :, None],
        reference.sign(conv.weight.detach().numpy())[:, :, None],
        stride=binary.stride,
        padding=binary.padding,
        dilation=binary.dilation,
        groups=conv.groups,
        pad_value=-1,
    )
    expected = reference.scale_channels(sums, binary.scale.numpy())[:, :, 0]
    bias = 0 if conv.bias is None else conv.bias.detach().numpy()[:, None]
    assert np.array_equal(found, expected + bias)
    assert found.shape == conv(x).shape


def test_training_reaches_the_weights():
    binary = BinaryConv1d(4, 3, (1, 5), binarizer="distribution-aware")
    binary(torch.randn(2, 4, 8)).square().sum().backward()
    assert binary.weight.grad.shape == (3, 4, 5) and binary.weight.grad.abs().sum() > 0
