"""The head against loops and the loss against numbers worked out by hand."""

import math

import numpy as np
import pytest
import torch

from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.tracking.siamese import SCALE, LogisticLoss, correlate
from b2nn_tvm.tracking.tracker import correlate as correlate_numpy
from tests.support.tracking.narrow import narrow_net


def test_correlation_is_a_sum_over_the_exemplar():
    source = torch.Generator().manual_seed(0)
    exemplars, searches = torch.randn(3, 5, 2, 3, generator=source), torch.randn(3, 5, 4, 6, generator=source)
    found = correlate(exemplars, searches)
    assert found.shape == (3, 3, 4)
    for n, row, column in np.ndindex(3, 3, 4):
        expected = (exemplars[n] * searches[n, :, row : row + 2, column : column + 3]).sum()
        assert found[n, row, column] == pytest.approx(float(expected), abs=1e-5)
    for n in range(3):  # the tracker's own
        np.testing.assert_allclose(correlate_numpy(exemplars[n].numpy(), searches.numpy())[n], found[n], atol=1e-5)


def test_the_network_correlates_what_the_trunk_sees_of_each_crop():
    net = narrow_net().eval()
    with torch.no_grad():
        net.bias.fill_(0.25)
        pairs = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
        exemplar, search = net.trunk(pairs[:, :, :32, 64:]), net.trunk(pairs[:, :, :, :64])
        assert exemplar.shape == (2, 32, 4, 4) and search.shape == (2, 32, 8, 8)
        found = net(pairs)
        torch.testing.assert_close(found, (correlate(exemplar, search) * SCALE + 0.25).reshape(2, 25))
        pairs[:, :, 32:, 64:] = 100  # nobody looks below the exemplar
        assert torch.equal(net(pairs), found)


def test_the_loss_by_hand():
    """3x3 cells, the target in the first: positive are it, its right and its lower neighbour."""
    responses = torch.tensor([[2.0, 0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, -3.0]])
    ramp = lambda value: math.log1p(math.exp(value))
    positive = (ramp(-2) + ramp(0) + ramp(0)) / 3
    negative = (ramp(-1) + ramp(1) + ramp(0) + ramp(0) + ramp(0) + ramp(-3)) / 6
    found = LogisticLoss(3)(responses, torch.tensor([0]))
    assert float(found) == pytest.approx((positive + negative) / 2, rel=1e-6)


@pytest.mark.parametrize(("radius", "positives"), [(0, 1), (0.9, 1), (1, 5), (1.5, 9), (2, 13)])
def test_the_radius_is_in_cells(radius, positives):
    near = LogisticLoss(7, radius)._near(torch.tensor([3 * 7 + 3]))
    assert int(near.sum()) == positives and bool(near[0, 24])


def test_both_kinds_of_cells_weigh_the_same():
    loss, cells = LogisticLoss(5), torch.tensor([12, 0])
    zeros = torch.zeros(2, 25, requires_grad=True)
    value = loss(zeros, cells)
    value.backward()
    assert value.item() == pytest.approx(math.log(2))
    for row in zeros.grad:  # each pair: half of 0.5 * sigmoid(0), in both directions
        assert float(row[row < 0].sum()) == pytest.approx(-0.125) and float(row[row > 0].sum()) == pytest.approx(0.125)


def test_a_converted_network_is_a_copy_with_binary_layers_in_its_trunk():
    net = narrow_net()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    mixed = net.convert(["stage1.0.conv2", "stage3.1.conv1"])
    binary = [name for name, module in mixed.named_modules() if isinstance(module, BinaryConv2d)]
    assert binary == ["trunk.stage1.0.conv2", "trunk.stage3.1.conv1"] and mixed.sizes == net.sizes
    assert not any(isinstance(module, BinaryConv2d) for module in net.modules())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert set(mixed.state_dict()) == set(before)
