"""Calibration sees what each layer reads in float arithmetic, and begins anew each time."""

import pytest
import torch
from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.modules import clipping
from b2nn_tvm.mixbin.training.calibrate import calibrate
from b2nn_tvm.plan import Plan

BATCHES = [
    (torch.randn(8, 2, 6, 6, generator=torch.Generator().manual_seed(seed)), torch.zeros(8).long()) for seed in range(3)
]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(16, 3)).eval()


def quantized(model: nn.Module) -> nn.Module:
    return convert(model, Plan({"0": "int8", "2": "w2a2", "4": "int8"}), input_shape=(2, 6, 6))


def test_scales_cover_what_the_layers_read():
    model = network()
    found = calibrate(quantized(model), BATCHES)
    assert float(found[0].input_quantizer.zero_point) > 0 == float(found[2].input_quantizer.zero_point)
    images = torch.cat([images for images, _ in BATCHES])
    with torch.no_grad():
        middle = model[:2](images)
        expected, answer = model(images), found(images)
    assert found[2].input_quantizer.step.item() == pytest.approx(2 * float(middle.mean()) / 3**0.5, rel=0.02)
    assert found[0].input_quantizer.step.item() * 255 == pytest.approx(float(images.max() - images.min()), rel=0.4)
    assert not torch.equal(answer, expected)


def test_a_second_calibration_is_as_the_first(monkeypatch):
    once = calibrate(quantized(network()), BATCHES)
    state = {name: value.clone() for name, value in once.state_dict().items()}
    again = calibrate(once, BATCHES)
    assert all(torch.equal(value, state[name]) for name, value in again.state_dict().items())
    monkeypatch.setattr(clipping, "TAIL", 0.02)
    steps = [calibrate(once, BATCHES, method=method)[0].input_quantizer.step.item() for method in ("mse", "percentile")]
    assert steps[1] < 0.8 * steps[0]


def test_float_networks_stay_and_modes_are_kept():
    model = network().train()
    assert calibrate(model, []) is model and model.training


def test_what_cannot_be_calibrated_is_refused():
    with pytest.raises(InputError, match="at least one batch"):
        calibrate(quantized(network()), [])
    with pytest.raises(InputError, match="no calibration"):
        calibrate(quantized(network()), BATCHES, method="max")
    broken = [(torch.full((1, 2, 6, 6), torch.nan), torch.zeros(1).long())]
    with pytest.raises(InputError, match="input of layer 0 is not finite"):
        calibrate(quantized(network()), broken)
