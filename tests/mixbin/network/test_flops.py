"""Operation counts: exact integers of the MixBin paper's networks, and each rule by hand."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm import flops as public_flops
from b2nn_tvm import models
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.network.flops import flops, flops_by_layer
from b2nn_tvm.mixbin.network.layers import trace

SHAPE = (3, 224, 224)


@pytest.fixture(scope="module")
def resnet18():
    return models.resnet18()


def test_the_public_name_is_this_function():
    assert public_flops is flops


@pytest.mark.parametrize(
    ("name", "shape", "full", "binarizable", "binary"),
    [
        ("cresnet20", (3, 32, 32), 41_408_768, 40_108_032, 1_927_424),
        ("resnet18", SHAPE, 1_821_399_040, 1_676_279_808, 171_311_104),
        ("bireal18", SHAPE, 1_821_549_568, 1_676_279_808, 171_461_632),
    ],
)
def test_networks_of_the_paper(name, shape, full, binarizable, binary):
    model = models.get(name)()
    table = trace(model, shape)
    assert flops(model, shape) == full
    assert sum(table[layer].workload.macs for layer in table.eligible) == binarizable
    assert flops(model, shape, table.eligible) == binary == full - binarizable + binarizable // 64


@pytest.mark.parametrize(
    ("left_float", "share"),
    [
        (["layer1.0.conv2"], 15.65),  # 2 half-units
        (["layer2.0.conv1", "layer4.0.conv1"], 15.65),
        ([f"layer{stage}.{block}.conv2" for stage in (1, 2, 3) for block in (0, 1)] + ["layer4.0.conv2"], 53.14),  # 14
    ],
)
def test_mixed_resnet18_of_the_paper(resnet18, left_float, share):
    binary = [name for name in trace(resnet18, SHAPE).eligible if name not in left_float]
    assert 100 * flops(resnet18, SHAPE, binary) / 1_821_399_040 == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize(("half_units", "share"), [(2, 13.35), (9, 43.67), (12, 56.67)])
def test_tracker_network_of_the_paper(resnet18, half_units, share):
    """Stages 1 to 3 of ResNet-18 behind a 3x3 stem, at 64x64 and then 32x32: the budgets printed for SiamFC."""
    stem = [nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    tracker = nn.Sequential(*stem, resnet18.layer1, resnet18.layer2, resnet18.layer3)
    table = trace(tracker, (3, 64, 64))
    half_unit = table["5.0.conv1"].workload.macs
    binary, left = [], half_units
    for name in reversed(table.eligible):
        size = table[name].workload.macs // half_unit
        left, binary = (left - size, binary) if size <= left else (left, [*binary, name])
    assert left == 0
    assert 100 * flops(tracker, (3, 64, 64), binary) / flops(tracker, (3, 64, 64)) == pytest.approx(share, abs=0.01)


def test_each_rule_by_hand():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),  # 27 * 4 * 64 + 256 for the bias
        nn.BatchNorm2d(4),  # 2 * 256
        nn.PReLU(),  # 256
        nn.MaxPool2d(2),  # 256, of its input
        nn.BatchNorm2d(4, affine=False),  # free
        nn.AdaptiveAvgPool2d(1),  # free
        nn.Flatten(),  # free
        nn.Linear(4, 10),  # 40, the bias is free
    )
    rows = flops_by_layer(model, (3, 8, 8))
    assert [(row.name, row.kind, row.flops) for row in rows] == [
        ("0", "Conv2d", 27 * 4 * 64 + 256),
        ("1", "BatchNorm2d", 512),
        ("2", "PReLU", 256),
        ("3", "MaxPool2d", 256),
        ("7", "Linear", 40),
    ]
    assert (rows[0].float_flops, rows[0].binary_flops) == (7168, 108 + 256)
    assert all(row.binary_flops is None for row in rows[1:])
    assert flops(model, (5, 3, 8, 8)) == 5 * flops(model, (3, 8, 8)) == 5 * flops(model, (1, 3, 8, 8))


def test_signals_count_as_images_of_one_row():
    signals = nn.Sequential(nn.Conv1d(3, 4, 5, 2), nn.BatchNorm1d(4), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(4, 4, 3))
    images = nn.Sequential(
        *(nn.Conv2d(3, 4, (1, 5), (1, 2)), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d((1, 2)), nn.Conv2d(4, 4, (1, 3)))
    )
    for binary in ((), ("4",)):
        assert flops(signals, (3, 40), binary) == flops(images, (3, 1, 40), binary)
    assert flops(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(8)), (8, 4)) == 8 * 4 * 4 + 2 * 8 * 4


def test_a_binary_convolution_rounds_up():
    assert flops(nn.Sequential(nn.Conv2d(1, 1, 1, bias=False)), (1, 1, 1), ["0"]) == 1


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x):
        return F.relu(F.relu(self.relu(self.relu(x))))


def test_a_module_called_twice_counts_once_and_functions_count_each_time():
    assert flops(Shared(), (1, 1, 10)) == 30


def test_a_converted_network_costs_what_the_choice_was_said_to_cost():
    model = models.cresnet20(width=8)
    chosen = trace(model, (3, 32, 32)).eligible[::2]
    assert flops(convert(model, chosen), (3, 32, 32)) == flops(model, (3, 32, 32), chosen)


class Weights(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.matrix = nn.Parameter(torch.ones(3, 1, 3, 3)), nn.Parameter(torch.ones(5, 16))
        self.up = nn.ConvTranspose2d(3, 2, 2, stride=2)

    def forward(self, x):
        x = F.conv2d(x, self.weight.abs(), groups=3)
        return F.linear(self.up(x).flatten(1)[:, :16], self.matrix)


def test_functions_and_other_convolutions_count_their_multiplications():
    # conv2d: 3 channels of 4x4, 9 each; transposed: 2 * 2 * 2 per input element and a bias per output; linear: 5 * 16.
    costs = {row.kind: (row.flops, row.binary_flops) for row in flops_by_layer(Weights(), (3, 6, 6))}
    expected = {"conv2d": (432, None), "ConvTranspose2d": (48 * 8 + 128, None), "linear": (80, None)}
    assert costs == expected


def test_unknown_names_are_listed():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(InputError, match="not a convolution of this Sequential: 2, conv7; choose from 0"):
        flops(model, (3, 1, 1), ["0", "2", "conv7"])


def test_counting_computes_nothing():
    huge = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.Conv2d(8, 8, 3, padding=1, bias=False))
    assert flops(huge, (3, 100_000, 100_000)) == 10**10 * (27 * 8 + 72 * 8)
    assert torch.is_tensor(huge[0].weight)
