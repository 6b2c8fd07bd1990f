"""The modules that are exported in place of binary convolutions: calls of our ONNX functions, or the plain form.

The plain form computes the same with standard operators on weights of +1 and -1. A convolution whose filters have two
values alpha and beta each becomes two convolutions of one input:

    y = BinaryConv2d(x, signs, (alpha - beta) / 2) + BinaryConv2d(x, a filter of ones) * (alpha + beta) / 2

In groups, each group has its filter of ones. A 1-D convolution is one over images of a single row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm import reference
from b2nn_tvm.errors import InputError
from b2nn_tvm.mixbin.modules.binarizers import TwoValues
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d, spread
from b2nn_tvm.mixbin.modules.binary_conv1d import BinaryConv1d
from b2nn_tvm.reference.onnx_functions import DOMAIN, NAME, VERSION, WEIGHT_NAME
from b2nn_tvm.workload import ConvWorkload


def deploy_form(conv: BinaryConv2d, *, name: str, form: str) -> nn.Module:
    """The module that stands for ``conv`` during export: its weights are already binary, and nothing in it is trained.

    Raises InputError where the layer, called ``name``, still has float weights (the first stage of training).
    """
    if not conv.weight_binary:
        raise InputError(
            f"layer {name} still has float weights (weight_binary is False); finish its training, then export"
        )
    kind = _FunctionForm if form == "function" else _PlainForm
    return kind(conv, conv.two_values)


class _DeployForm(nn.Module, ABC):
    """The geometry of a binary convolution, under the same attribute names, without its latent weights.

    Where the two values of the filters have an offset, the submodule ``box_sum`` is the convolution with a filter of
    ones: a layer of its own that reads the input as this module has prepared it.
    """

    weight: torch.Tensor
    scale: torch.Tensor
    offset: torch.Tensor
    threshold: torch.Tensor | None
    bias: torch.Tensor | None
    box_sum: _DeployForm | None

    def __init__(self, conv: BinaryConv2d, values: TwoValues, *, of_ones: bool = False):
        super().__init__()
        self.in_channels, self.out_channels, self.kernel_size = conv.in_channels, len(values.signs), conv.kernel_size
        self.stride, self.padding, self.dilation, self.groups = conv.stride, conv.padding, conv.dilation, conv.groups
        self.of_rows = isinstance(conv, BinaryConv1d) and not of_ones
        self.pad_value, self.input_binary, self.of_ones = conv.pad_value, conv.input_binary, of_ones
        bias = None if conv.bias is None or of_ones else conv.bias.detach().clone()
        self.register_buffer("bias", bias)
        self.box_sum = None
        if values.offset is not None:
            count = conv.groups
            ones = TwoValues(torch.ones_like(values.signs[:count]), torch.ones_like(values.scale[:count]), None)
            self.box_sum = type(self)(conv, ones, of_ones=True)
            self.register_buffer("offset", values.offset[:, None, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.of_rows:  # reshapes to fixed sizes, which the compiler sees through
            y = self._forward(x.reshape(*x.shape[:2], 1, x.shape[2]))
            return y.reshape(*y.shape[:2], y.shape[3])
        return self._forward(x)

    def _forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x if self.of_ones else self._prepare(x)
        y = self._convolve(x)
        if self.box_sum is not None:
            y = y + self.offset * spread(self.box_sum(x), self.out_channels)
        return y if self.bias is None else y + self.bias[:, None, None]

    @abstractmethod
    def _prepare(self, x: torch.Tensor) -> torch.Tensor:
        """The input as both this convolution and its ``box_sum`` read it."""

    @abstractmethod
    def _convolve(self, x: torch.Tensor) -> torch.Tensor: ...


class _FunctionForm(_DeployForm):
    def __init__(self, conv: BinaryConv2d, values: TwoValues, *, of_ones: bool = False):
        super().__init__(conv, values, of_ones=of_ones)
        signs = reference.sign(values.signs.numpy()).transpose(0, 2, 3, 1)
        threshold = torch.zeros(conv.in_channels) if conv.threshold is None else conv.threshold.detach().clone()
        self.register_buffer("weight", torch.from_numpy(reference.pack(signs)))
        self.register_buffer("scale", values.scale)
        self.register_buffer("threshold", threshold if conv.input_binary else None)

    def _prepare(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def _convolve(self, x: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = x.shape
        workload = ConvWorkload(
            batch,
            channels,
            height,
            width,
            self.out_channels,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )
        name, thresholds = (NAME, (self.threshold,)) if self.input_binary else (WEIGHT_NAME, ())
        return torch.onnx.ops.symbolic(
            f"{DOMAIN}::{name}",
            (x, self.weight, self.scale, *thresholds),
            {
                "kernel_shape": list(self.kernel_size),
                "strides": list(self.stride),
                "pads": list(self.padding),
                "dilations": list(self.dilation),
                "pad_value": float(self.pad_value),
                "channels": self.in_channels // self.groups,
                "group": self.groups,
            },
            dtype=x.dtype,
            shape=(batch, self.out_channels, workload.out_height, workload.out_width),
            version=VERSION,
        )


class _PlainForm(_DeployForm):
    def __init__(self, conv: BinaryConv2d, values: TwoValues, *, of_ones: bool = False):
        super().__init__(conv, values, of_ones=of_ones)
        threshold = None if conv.threshold is None else conv.threshold.detach()[:, None, None].clone()
        self.register_buffer("weight", values.signs)
        self.register_buffer("scale", values.scale[:, None, None])
        self.register_buffer("threshold", threshold)

    def _prepare(self, x: torch.Tensor) -> torch.Tensor:
        """The signs of the input, with the border that a convolution's own padding of zeros cannot make."""
        if self.input_binary:
            x = torch.where(x >= (0.0 if self.threshold is None else self.threshold), 1.0, -1.0)
        if self._pads_itself:
            return x
        top, left, bottom, right = self.padding
        return F.pad(x, (left, right, top, bottom), value=float(self.pad_value))

    def _convolve(self, x: torch.Tensor) -> torch.Tensor:
        padding = self.padding[:2] if self._pads_itself else 0
        y = F.conv2d(x, self.weight, None, self.stride, padding, self.dilation, self.groups)
        return y if self.of_ones else self.scale * y  # in this order: reference/onnx_functions.py says why

    @property
    def _pads_itself(self) -> bool:
        return self.pad_value == 0 and self.padding[:2] == self.padding[2:]


DEPLOY_FORMS = _DeployForm
