"""A choice of options becomes a network: layers are converted, and the inputs of quantized ones get their scales."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import nn

from b2nn_tvm.costs.options import precisions_of
from b2nn_tvm.data.bundle import Batches
from b2nn_tvm.mixbin.conversion.options import ConversionOptions
from b2nn_tvm.mixbin.modules.quantized_layer import quantized_layers
from b2nn_tvm.mixbin.training.calibrate import calibrate
from b2nn_tvm.mixbin.training.reestimate_batchnorm import reestimate
from b2nn_tvm.plan import Plan, Precision


def convert_choice(
    model: nn.Module, choice: Iterable[str], conversion: ConversionOptions, batches: Callable[[], Batches]
) -> nn.Module:
    """A copy of ``model`` in which the layers of ``choice`` (see costs.options) have their precisions.

    ``batches`` gives the images that quantized layers are calibrated on; it is not asked where there are none. Binary
    layers change what the layers behind them read, so that batch norms are re-estimated before. Raises what
    ``convert`` and ``calibrate`` raise.
    """
    precisions = precisions_of(choice)
    binary = tuple(layer for layer, word in precisions.items() if word == Precision.BINARY)
    if len(binary) == len(precisions):
        return conversion.convert(model, binary)
    network = conversion.convert(model, Plan({layer: Precision(word) for layer, word in precisions.items()}))
    if not quantized_layers(network):
        return network
    images = batches()
    return calibrate(reestimate(network, images) if binary else network, images)
