"""The two values per filter: the signs against the reference, the split against every partition there is."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from b2nn_tvm import reference
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.modules import binarizers
from b2nn_tvm.mixbin.modules.binarizers import binarize
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.plan import Plan, Precision

PARTITIONS = np.array(list(itertools.product((False, True), repeat=10)))  # all 2^10


def error(weight: torch.Tensor, name: str) -> torch.Tensor:
    """The squared error per filter."""
    return (binarize(weight, name).dense - weight).square().sum(dim=(1, 2, 3))


def best_error(filter_weights: np.ndarray) -> float:
    """The least squared error over every way to give each of ten weights one of two values."""
    sizes = PARTITIONS.sum(axis=1)
    sums = PARTITIONS @ filter_weights
    gain = np.where(sizes > 0, sums**2 / np.maximum(sizes, 1), 0.0)
    gain += np.where(sizes < 10, (filter_weights.sum() - sums) ** 2 / np.maximum(10 - sizes, 1), 0.0)
    return float((filter_weights**2).sum() - gain.max())


@pytest.mark.parametrize("kind", ["normal", "shifted", "skewed", "few values", "equal"])
def test_the_distribution_aware_split_is_the_best_of_all_partitions(kind):
    rng = np.random.default_rng(0)
    rows = {
        "normal": rng.standard_normal((40, 10)),
        "shifted": rng.standard_normal((40, 10)) + 2,
        "skewed": rng.exponential(size=(40, 10)),
        "few values": rng.integers(-1, 2, (40, 10)).astype(float),
        "equal": np.full((3, 10), -0.25),
    }[kind]
    weight = torch.tensor(rows, dtype=torch.float64).reshape(len(rows), 5, 2, 1)
    best = [best_error(row) for row in rows]
    np.testing.assert_allclose(error(weight, "distribution-aware"), best, atol=1e-9)
    assert all(error(weight, "distribution-aware") <= error(weight, "xnor") + 1e-12)


def test_on_shifted_gaussians_two_free_values_beat_plus_and_minus_one_magnitude():
    weight = torch.randn(64, 64, 3, 3, generator=torch.Generator().manual_seed(0)) + 0.5
    relative = {name: float(error(weight, name).sum() / weight.square().sum()) for name in binarizers.names()}
    assert relative["distribution-aware"] < 0.9 * relative["xnor"] < 0.35


def test_each_filter_has_its_two_values_and_the_larger_one_has_the_sign_plus():
    weight = torch.tensor([[3.0, 1.0, 2.8, 0.8], [-1.0, -1.0, -1.0, 7.0]]).reshape(2, 4, 1, 1)
    found = binarize(weight, "distribution-aware")
    assert found.signs.flatten(1).tolist() == [[1, -1, 1, -1], [-1, -1, -1, 1]]
    torch.testing.assert_close(found.dense.flatten(1), torch.tensor([[2.9, 0.9, 2.9, 0.9], [-1, -1, -1, 7.0]]))


def test_a_filter_of_one_weight_is_exact():
    weight = torch.tensor([0.5, -2.0]).reshape(2, 1, 1, 1)
    assert torch.equal(binarize(weight, "distribution-aware").dense, weight)


def test_signs_of_weights_are_the_reference():
    weight = torch.tensor([0.0, -0.0, 1e-45, -1e-45, 7.0, float("-inf"), float("nan")]).reshape(7, 1, 1, 1)
    assert np.array_equal(binarize(weight).signs.numpy(), reference.sign(weight.numpy()))


@pytest.mark.parametrize("input_binary", [True, False])
@pytest.mark.parametrize("pad_value", [0, 1, -1])
def test_the_layer_convolves_with_the_two_values(input_binary, pad_value):
    torch.manual_seed(0)
    conv = nn.Conv2d(33, 5, 3, stride=2, padding=1)
    options = {"pad_value": pad_value, "input_binary": input_binary, "binarizer": "distribution-aware"}
    module = BinaryConv2d.from_conv(conv, **options)
    x = torch.randn(2, 33, 7, 6)
    read = torch.from_numpy(reference.sign(x.numpy())).float() if input_binary else x
    padded = nn.functional.pad(read, (1, 1, 1, 1), value=float(pad_value))
    expected = nn.functional.conv2d(padded, binarize(conv.weight, "distribution-aware").dense, conv.bias, stride=2)
    torch.testing.assert_close(module(x), expected, rtol=1e-5, atol=1e-5)


def test_training_passes_the_scaled_gradient_to_the_weights_and_none_to_the_values():
    module = BinaryConv2d(4, 1, (1, 1), binarizer="distribution-aware")
    with torch.no_grad():
        module.weight.copy_(torch.tensor([0.9, 0.5, -0.1, -1.3]).reshape(1, 4, 1, 1))
    x = torch.ones(1, 4, 1, 1, requires_grad=True)
    module(x).sum().backward()
    scale = float(module.scale)
    assert module.weight.grad.flatten().tolist() == pytest.approx([scale, scale, scale, 0.0])
    # The input's gradient goes through both the convolution and the box sum; the sign's slope at 1 is 0.
    assert x.grad.flatten().tolist() == [0.0] * 4


def test_convert_binarizes_all_chosen_layers_alike():
    torch.manual_seed(0)
    body = [nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Tanh()]
    model = nn.Sequential(nn.Conv2d(3, 4, 3), *body, nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.Flatten())
    plan = Plan({"1": Precision.BINARY, "4": Precision.WEIGHT_BINARY})
    mixed = convert(model, plan, binarizer="distribution-aware")
    assert [(mixed[i].binarizer, mixed[i].input_binary) for i in (1, 4)] == [
        ("distribution-aware", True),
        ("distribution-aware", False),
    ]
    assert "distribution-aware" in repr(mixed) and "xnor" not in repr(convert(model, plan))


def test_unknown_names_are_refused():
    for call in (
        lambda: binarize(torch.ones(1, 1, 1, 1), "ternary"),
        lambda: BinaryConv2d(1, 1, (1, 1), binarizer="ternary"),
        lambda: convert(nn.Sequential(nn.Conv2d(1, 1, 1)), (), binarizer="ternary"),
    ):
        with pytest.raises(InputError, match="no binarizer 'ternary'; choose one of xnor, distribution-aware"):
            call()
