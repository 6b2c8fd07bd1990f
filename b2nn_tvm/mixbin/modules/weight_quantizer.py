"""The weights of a quantized layer: whole numbers times a scale per output channel.

8 bits         round(w / scale) in -127 .. 127, scale = max |w| / 127 of the weights as they are
2 to 4 bits    clip(round(w / step)) in -2^(b-1) .. 2^(b-1) - 1, with a learned step (LSQ)
1 bit          sign(w) * mean |w| (Rastegari et al., XNOR-Net, equation 6)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules.input_quantizer import LEARNED_BITS
from b2nn_tvm.mixbin.modules.learned_step import gradient_scale, initial_step, quantize
from b2nn_tvm.mixbin.modules.sign import straight_through

LARGEST_INT8 = 127  # of either sign, so that no code lacks its negative
_TINY = torch.finfo(torch.float32).tiny ** 0.5  # in place of the scale of a filter of zeros


@dataclass(frozen=True)
class WeightCodes:
    """``codes`` int8, of the weights' shape, and ``scale`` [O]: the weights are codes * scale."""

    codes: torch.Tensor
    scale: torch.Tensor


class WeightQuantizer(nn.Module):
    """The quantized form, of ``bits`` bits, of weights like ``weight`` [O, ...]; gradients reach the float weights.

    Raises InputError for a number of bits other than 1 to 4 and 8.
    """

    log2_step: nn.Parameter | None

    def __init__(self, bits: int, weight: torch.Tensor):
        super().__init__()
        if bits not in (1, *LEARNED_BITS, 8):
            raise InputError(f"the weights of a quantized layer have 1 to 4 or 8 bits, not {bits}")
        self.bits = bits
        learned = None
        if bits in LEARNED_BITS:
            mean = weight.detach().flatten(1).abs().mean(1)
            learned = nn.Parameter(initial_step(mean, self.high).log2())
        self.register_parameter("log2_step", learned)

    @property
    def low(self) -> int:
        return -LARGEST_INT8 if self.bits == 8 else -1 if self.bits == 1 else -(2 ** (self.bits - 1))

    @property
    def high(self) -> int:
        return LARGEST_INT8 if self.bits == 8 else 1 if self.bits == 1 else 2 ** (self.bits - 1) - 1

    def scale(self, weight: torch.Tensor) -> torch.Tensor:
        """The scale per output channel, [O]; only learned steps have a gradient."""
        if self.log2_step is not None:
            return self.log2_step.exp2()
        sizes = weight.detach().flatten(1).abs()
        return sizes.mean(1) if self.bits == 1 else (sizes.amax(1) / LARGEST_INT8).clamp(min=_TINY)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The quantized weights, of the type and shape of ``weight``."""
        scale = _per_filter(self.scale(weight), weight)
        if self.bits == 1:
            return straight_through(weight, _signs(weight)) * scale
        slope = gradient_scale(weight[0].numel(), self.high)
        return quantize(weight, scale, self.low, self.high, slope=slope)

    @torch.no_grad()
    def codes(self, weight: torch.Tensor) -> WeightCodes:
        """The whole numbers and the scales that ``forward`` multiplies."""
        scale = self.scale(weight)
        if self.bits == 1:
            return WeightCodes(_signs(weight).to(torch.int8), scale)
        codes = (weight / _per_filter(scale, weight)).clamp(self.low, self.high).round()
        return WeightCodes(codes.to(torch.int8), scale)

    def extra_repr(self) -> str:
        return f"bits={self.bits}"


def _signs(weight: torch.Tensor) -> torch.Tensor:
    return torch.where(weight >= 0, 1.0, -1.0).to(weight.dtype)


def _per_filter(scale: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return scale.reshape(-1, *[1] * (weight.dim() - 1))
