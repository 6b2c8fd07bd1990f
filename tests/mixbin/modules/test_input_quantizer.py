"""Inputs become what ONNX's QuantizeLinear, Clip and DequantizeLinear make of them."""

import numpy as np
import pytest
import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules.clipping import Histogram, count
from b2nn_tvm.mixbin.modules.input_quantizer import InputQuantizer


def values(low: float = -2.0) -> torch.Tensor:
    return torch.linspace(low, 3.0, 257).reshape(1, 257)


def histogram(x: torch.Tensor) -> Histogram:
    return Histogram(float(x.min()), float(x.max()), count(x, float(x.min()), float(x.max())))


def calibrated(bits: int, x: torch.Tensor) -> InputQuantizer:
    quantizer = InputQuantizer(bits)
    quantizer.calibrate(histogram(x), "mse")
    return quantizer


@pytest.mark.parametrize(("bits", "low"), [(8, -2.0), (8, 0.0), (2, 0.0), (2, -2.0), (4, 0.0)])
def test_codes_are_those_of_onnx(bits, low):
    x = values(low)
    quantizer = calibrated(bits, x)
    step, zero = np.float32(quantizer.step.item()), quantizer.zero_point.item()
    codes = np.clip(np.round(x.numpy() / step) + np.float32(zero), 0, 2**bits - 1)
    assert np.array_equal(quantizer(x).detach().numpy(), (codes - np.float32(zero)) * step)
    assert zero == (102 if (bits, low) == (8, -2.0) else 0)


def test_it_gives_its_input_until_it_is_calibrated_and_remembers_that():
    x, fresh = values(), InputQuantizer(8)
    assert fresh(x) is x
    known = calibrated(8, x)
    fresh.load_state_dict(known.state_dict())
    assert torch.equal(fresh(x), known(x)) and fresh.calibrated
    known.load_state_dict(InputQuantizer(8).state_dict())
    assert known(x) is x


def test_steps_stay_above_zero_and_zero_points_are_not_learned():
    quantizer = calibrated(2, values(0.0))
    assert [name for name, _ in quantizer.named_parameters()] == ["log2_step"]
    quantizer(values(0.0)).sum().backward()
    with torch.no_grad():
        quantizer.log2_step.sub_(100 * quantizer.log2_step.grad.sign())
    assert quantizer.step.item() > 0


def test_other_numbers_of_bits_and_methods_are_refused():
    with pytest.raises(InputError, match="2 to 4 or 8 bits, not 1"):
        InputQuantizer(1)
    with pytest.raises(InputError, match="no calibration"):
        InputQuantizer(2).calibrate(histogram(values(0.0)), "maximum")
