"""The input of a quantized layer: x -> (clip(round(x / step) + zero_point, 0, 2^bits - 1) - zero_point) * step."""

from __future__ import annotations

import math

import torch
from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules import clipping
from b2nn_tvm.mixbin.modules.clipping import Histogram
from b2nn_tvm.mixbin.modules.learned_step import gradient_scale, initial_step, quantize

LEARNED_BITS = (2, 3, 4)


class InputQuantizer(nn.Module):
    """Codes of ``bits`` bits, 2 to 4 or 8, with one step for the whole tensor; x's shape and type.

    Until it is calibrated it gives its input as it is. With 8 bits a calibration chooses the range by its method; with
    2 to 4 bits codes are of values from 0 on, and the step begins as LSQ says. Afterwards the step is learned. It is
    kept as its logarithm: then it stays above 0, and a step of Adam changes it by a share of itself (Jain et al.,
    Trained Quantization Thresholds, MLSys 2020, section 3.2). The zero point is not learned. Raises InputError for
    another number of bits.
    """

    log2_step: nn.Parameter
    zero_point: torch.Tensor

    def __init__(self, bits: int):
        super().__init__()
        if bits not in (*LEARNED_BITS, 8):
            raise InputError(f"the input of a quantized layer has 2 to 4 or 8 bits, not {bits}")
        self.bits, self.calibrated = bits, False
        self.log2_step = nn.Parameter(torch.zeros(()))
        self.register_buffer("zero_point", torch.zeros(()))

    @property
    def levels(self) -> int:
        """The largest code."""
        return (1 << self.bits) - 1

    @property
    def step(self) -> torch.Tensor:
        """The difference of neighbouring values, a scalar."""
        return self.log2_step.exp2()

    def calibrate(self, histogram: Histogram, method: str) -> None:
        """Set the step and the zero point for inputs that are distributed like this; see ``clipping``."""
        clipping.check(method)
        if self.bits == 8:
            step, zero = clipping.scale_and_zero(*clipping.clip(histogram, method, levels=self.levels), self.levels)
        else:
            step, zero = float(initial_step(torch.tensor(histogram.mean_positive()), self.levels)), 0
        with torch.no_grad():
            self.log2_step.fill_(math.log2(step))
            self.zero_point.fill_(zero)
        self.calibrated = True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.calibrated:
            return x
        slope = gradient_scale(math.prod(x.shape[1:]), self.levels)
        return quantize(x, self.step, -self.zero_point, self.levels - self.zero_point, slope=slope)

    def get_extra_state(self) -> torch.Tensor:
        return torch.tensor(self.calibrated)

    def set_extra_state(self, state: torch.Tensor) -> None:
        self.calibrated = bool(state)

    def extra_repr(self) -> str:
        return f"bits={self.bits}, calibrated={self.calibrated}"
