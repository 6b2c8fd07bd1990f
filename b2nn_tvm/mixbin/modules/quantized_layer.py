"""Convolutions and linear layers whose inputs and weights are whole numbers times scales: int8, W1A2 and W2A2.

y = conv(pad(q(x)), q(w)) + bias        with zeros around the quantized input
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.costs.precisions import BITS
from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.mixbin.modules.binary_conv import explicit_padding, pair
from b2nn_tvm.mixbin.modules.input_quantizer import InputQuantizer
from b2nn_tvm.mixbin.modules.weight_quantizer import WeightCodes, WeightQuantizer
from b2nn_tvm.plan import QUANTIZED, Precision

STEP = ".log2_step"  # the end of the names of learned steps


class QuantizedLayer(nn.Module, ABC):
    """A layer of the given ``precision``, trained through latent float weights, with a float ``bias`` [O] or None.

    The parameters ``weight`` and ``bias`` have the names of the float layer's. In mixed precision the layer computes in
    float32, because codes of 16-bit floats are other codes. The input stays float until ``input_quantizer`` is
    calibrated. Raises InputError for a precision that is not one of plan.QUANTIZED.
    """

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(self, layer: nn.Conv1d | nn.Conv2d | nn.Linear, precision: Precision):
        super().__init__()
        if precision not in QUANTIZED:
            raise InputError(f"a quantized layer is {', '.join(sorted(QUANTIZED))}, not {precision}")
        self.precision = Precision(precision)
        weight_bits, input_bits = BITS[self.precision]
        self.weight = nn.Parameter(layer.weight.detach().clone(), requires_grad=layer.weight.requires_grad)
        bias = None
        if layer.bias is not None:
            bias = nn.Parameter(layer.bias.detach().clone(), requires_grad=layer.bias.requires_grad)
        self.register_parameter("bias", bias)
        self.weight_quantizer = WeightQuantizer(weight_bits, self.weight)
        self.input_quantizer = InputQuantizer(input_bits).to(self.weight)
        self.train(layer.training)

    @property
    def weight_codes(self) -> WeightCodes:
        """The weights as whole numbers and scales, detached."""
        return self.weight_quantizer.codes(self.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.is_autocast_enabled(x.device.type):
            with torch.autocast(x.device.type, enabled=False):
                return self._forward(x.float())
        return self._forward(x)

    def _forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.multiply(self.input_quantizer(x), self.weight_quantizer(self.weight), self.bias)

    @abstractmethod
    def multiply(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """The float layer of this geometry."""


class QuantizedConv2d(QuantizedLayer):
    """A quantized 2-D convolution; ``padding`` is (top, left, bottom, right) in pixels, of zeros.

    ``padding`` None is that of ``conv``. Raises UnsupportedError for paddings other than constant ones.
    """

    def __init__(
        self,
        conv: nn.Conv2d | nn.Conv1d,
        precision: Precision,
        *,
        padding: tuple[int, int, int, int] | None = None,
    ):
        if reason := unsupported(conv):
            raise UnsupportedError(f"{conv} cannot be {precision}: {reason}; leave it float")
        super().__init__(conv, precision)
        self.in_channels, self.out_channels, self.groups = conv.in_channels, conv.out_channels, conv.groups
        self.kernel_size, self.stride, self.dilation = pair(conv.kernel_size), pair(conv.stride), pair(conv.dilation)
        self.padding = explicit_padding(conv) if padding is None else padding

    def multiply(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        top, left, bottom, right = self.padding
        if (top, left) != (bottom, right):
            x, top, left = F.pad(x, (left, right, top, bottom)), 0, 0
        return F.conv2d(x, weight, bias, self.stride, (top, left), self.dilation, self.groups)

    def extra_repr(self) -> str:
        size = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        return f"{self.precision}, {size}, padding={self.padding}, dilation={self.dilation}, groups={self.groups}"


class QuantizedConv1d(QuantizedConv2d):
    """A quantized 1-D convolution, x [N, C, W]; all sizes are those of images of one row."""

    def multiply(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        _, left, _, right = self.padding
        if left != right:
            x, left = F.pad(x, (left, right)), 0
        return F.conv1d(x, weight, bias, self.stride[1], left, self.dilation[1], self.groups)


class QuantizedLinear(QuantizedLayer):
    """A quantized linear layer."""

    def __init__(self, linear: nn.Linear, precision: Precision):
        super().__init__(linear, precision)
        self.in_features, self.out_features = linear.in_features, linear.out_features

    def multiply(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        return F.linear(x, weight, bias)

    def extra_repr(self) -> str:
        return f"{self.precision}, in_features={self.in_features}, out_features={self.out_features}"


def quantized(
    layer: nn.Conv1d | nn.Conv2d | nn.Linear,
    precision: Precision,
    *,
    padding: tuple[int, int, int, int] | None = None,
) -> QuantizedLayer:
    """The quantized form of a float layer; ``padding`` replaces that of a convolution over images."""
    if isinstance(layer, nn.Linear):
        return QuantizedLinear(layer, precision)
    return (QuantizedConv1d if isinstance(layer, nn.Conv1d) else QuantizedConv2d)(layer, precision, padding=padding)


def unsupported(conv: nn.Conv2d | nn.Conv1d) -> str:
    """The reason why ``conv`` has no quantized form, or an empty string."""
    return f"padding mode {conv.padding_mode!r}" if conv.padding_mode != "zeros" else ""


def quantized_layers(model: nn.Module) -> dict[str, QuantizedLayer]:
    """The quantized layers of a network, by name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, QuantizedLayer)}


def refuse_uncalibrated(model: nn.Module) -> None:
    """Raise InputError where the input of a quantized layer has no scale yet."""
    waiting = [name or "it" for name, layer in quantized_layers(model).items() if not layer.input_quantizer.calibrated]
    if waiting:
        raise InputError(
            f"the inputs of {', '.join(waiting)} have no scale yet: calibrate the network on some batches of images"
        )
