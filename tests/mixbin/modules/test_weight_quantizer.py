"""Weights are whole numbers of the right range times a scale per filter, and gradients reach them."""

import pytest
import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules.binarizers import binarize
from b2nn_tvm.mixbin.modules.weight_quantizer import WeightQuantizer

RANGES = {1: (-1, 1), 2: (-2, 1), 3: (-4, 3), 4: (-8, 7), 8: (-127, 127)}


def weights(*shape: int) -> torch.Tensor:
    return torch.randn(shape or (6, 5, 3, 3), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("bits", RANGES)
@pytest.mark.parametrize("shape", [(6, 5, 3, 3), (6, 45)])
def test_the_weights_are_codes_times_scales(bits, shape):
    weight = weights(*shape).requires_grad_()
    quantizer = WeightQuantizer(bits, weight)
    found, codes = quantizer(weight), quantizer.codes(weight)
    per_filter = codes.scale.reshape(-1, *[1] * (len(shape) - 1))
    assert codes.codes.dtype == torch.int8
    assert torch.equal(found, codes.codes * per_filter)
    low, high = RANGES[bits]
    assert low <= int(codes.codes.min()) < 0 < int(codes.codes.max()) <= high
    if bits != 3 and bits != 4:
        assert (int(codes.codes.min()), int(codes.codes.max())) == (low, high)
    found.square().sum().backward()
    assert float(weight.grad.abs().sum()) > 0
    assert sum(1 for _ in quantizer.parameters()) == (bits in (2, 3, 4))


def test_one_bit_is_the_xnor_form_and_never_zero():
    weight = weights()
    weight[0, 0] = 0.0
    assert torch.equal(WeightQuantizer(1, weight)(weight), binarize(weight).dense)
    assert 0 not in WeightQuantizer(1, weight).codes(weight).codes


def test_a_filter_of_zeros_has_a_scale():
    weight = weights()
    weight[2] = 0.0
    for bits in (2, 8):
        codes = WeightQuantizer(bits, weight).codes(weight)
        assert bool((codes.scale > 0).all()) and not bool(codes.codes[2].any())


def test_int8_scales_follow_the_weights():
    weight = weights()
    quantizer = WeightQuantizer(8, weight)
    assert torch.allclose(quantizer.codes(2 * weight).scale, 2 * quantizer.codes(weight).scale)
    error = (quantizer(weight) - weight).abs().amax(dim=(1, 2, 3))
    assert bool((error <= 0.5001 * quantizer.scale(weight)).all())


def test_other_numbers_of_bits_are_refused():
    with pytest.raises(InputError, match="1 to 4 or 8 bits, not 5"):
        WeightQuantizer(5, weights())
