"""Calibration: the scales of all quantized inputs, from the values that they have on some batches of images.

Inputs stay float meanwhile, so that each layer sees what the float arithmetic gives in front of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from b2nn_tvm.data.bundle import Batches
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules import clipping
from b2nn_tvm.mixbin.modules.clipping import Histogram
from b2nn_tvm.mixbin.modules.quantized_layer import quantized_layers
from b2nn_tvm.mixbin.training.loss import device_of, evaluating

CALIBRATION = "mse"  # the method where none is chosen

Watch = Callable[[str, torch.Tensor], None]


def calibrate(model: nn.Module, batches: Batches, *, method: str = CALIBRATION) -> nn.Module:
    """Set the scales of the quantized inputs of ``model`` by ``method`` (see ``clipping``), in place; returns it.

    The batches run twice: for the ranges of the values, then for their histograms. A network that has been calibrated
    or trained before starts anew. Raises InputError for an unknown method, where there are no batches, and where an
    input is not finite.
    """
    clipping.check(method)
    layers = quantized_layers(model)
    if not layers:
        return model
    if not batches:
        raise InputError("a calibration needs at least one batch of images")
    for layer in layers.values():
        layer.input_quantizer.calibrated = False
    histograms = input_histograms(model, layers, batches)
    for name, layer in layers.items():
        layer.input_quantizer.calibrate(histograms[name], method)
    return model


def input_histograms(model: nn.Module, layers: Mapping[str, nn.Module], batches: Batches) -> dict[str, Histogram]:
    """The values of the inputs of ``layers``, modules of ``model``, over ``batches``; 0 is in the range of each.

    Raises InputError where a value is not finite.
    """
    ranges = dict.fromkeys(layers, (0.0, 0.0))
    counts = {name: torch.zeros(clipping.BINS, dtype=torch.float64) for name in layers}

    def extend(name: str, x: torch.Tensor) -> None:
        if not bool(x.isfinite().all()):
            raise InputError(f"the input of layer {name} is not finite; check the network's weights")
        low, high = ranges[name]
        ranges[name] = (min(low, float(x.min())), max(high, float(x.max())))

    def add(name: str, x: torch.Tensor) -> None:
        low, high = ranges[name]
        if high > low:
            counts[name] += clipping.count(x, low, high)

    for watch in (extend, add):
        with _watched(layers, watch), evaluating(model), torch.no_grad():
            for images, *_ in batches:
                model(images.to(device_of(model)))
    return {name: Histogram(*ranges[name], counts[name]) for name in layers}


@contextmanager
def _watched(layers: Mapping[str, nn.Module], watch: Watch) -> Iterator[None]:
    """Inside this context ``watch`` is told the input of each of the layers."""
    handles = [
        layer.register_forward_pre_hook(lambda _module, arguments, name=name: watch(name, arguments[0]))
        for name, layer in layers.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
