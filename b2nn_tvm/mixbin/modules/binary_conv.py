"""A 2-D convolution of signs: y = conv(pad(sign(x)), signs(w)) * scale, trained through latent float weights.

Where the binarizer has two values alpha and beta per filter, y = conv(pad(sign(x)), signs(w)) * (alpha - beta) / 2
+ boxsum(pad(sign(x))) * (alpha + beta) / 2, the box sum being one filter of ones that all filters of a group share.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.costs.eligibility import group_obstacle
from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.mixbin.modules import binarizers
from b2nn_tvm.mixbin.modules.binarizers import TwoValues, binarize
from b2nn_tvm.mixbin.modules.sign import sign, straight_through


class BinaryConv2d(nn.Module):
    """y [N, O, H', W'] = conv(pad(sign(x - threshold)), two values per filter) (+ bias), with x [N, C, H, W].

    ``weight`` [O, C / groups, kh, kw] is latent and float; ``binarizer`` says which two values replace it ("xnor": plus
    and minus the mean of |weight|), and training treats these values as constants. ``padding`` is (top, left, bottom,
    right) in pixels, added after the sign and filled with ``pad_value`` 0, 1 or -1. ``learned_threshold`` adds one
    threshold per input channel (ReActNet's RSign).

    ``weight_binary = False`` convolves the signs with the latent weights, as in the first stage of two-stage training;
    ``input_binary = False`` leaves the input float, so that only the weights are binary (hybrid networks). In mixed
    precision the layer computes in float32, because 16-bit floats are too coarse for its integer sums and its
    thresholds. Raises InputError for another pad_value or binarizer, and for channels that the groups do not divide.
    """

    weight: nn.Parameter
    threshold: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int, int, int] = (0, 0, 0, 0),
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
        pad_value: int = 0,
        learned_threshold: bool = False,
        bias: bool = False,
        input_binary: bool = True,
        binarizer: str = "xnor",
    ):
        super().__init__()
        binarizers.check(binarizer)
        if pad_value not in (0, 1, -1):
            raise InputError(f"a binary convolution pads with 0, 1 or -1, not with {pad_value!r}")
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise InputError(f"{groups} groups do not divide {in_channels} input and {out_channels} output channels")
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, pair(kernel_size)
        self.groups = groups
        self.stride, self.dilation = pair(stride), pair(dilation)
        top, left, bottom, right = padding
        self.padding = (top, left, bottom, right)
        self.pad_value = int(pad_value)
        self.weight_binary = True
        self.input_binary = input_binary
        self.binarizer = binarizer
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels // groups, *self.kernel_size))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        self.register_parameter("threshold", nn.Parameter(torch.zeros(in_channels)) if learned_threshold else None)
        self.register_parameter("bias", nn.Parameter(torch.zeros(out_channels)) if bias else None)

    @classmethod
    def from_conv(
        cls,
        conv: nn.Conv2d | nn.Conv1d,
        *,
        padding: tuple[int, int, int, int] | None = None,
        pad_value: int = 0,
        learned_threshold: bool = False,
        input_binary: bool = True,
        binarizer: str = "xnor",
    ) -> BinaryConv2d:
        """The binary form of ``conv``: its weights become the latent weights, and all parameters keep their names.

        ``padding`` (top, left, bottom, right) in pixels is used in place of that of ``conv``.

        Raises UnsupportedError for groups of few channels and for paddings other than constant ones.
        """
        reason = unsupported(conv)
        if reason:
            raise UnsupportedError(f"{conv} cannot be made binary: {reason}; leave it float")
        binary = cls(
            conv.in_channels,
            conv.out_channels,
            pair(conv.kernel_size),
            stride=pair(conv.stride),
            padding=explicit_padding(conv) if padding is None else padding,
            dilation=pair(conv.dilation),
            groups=conv.groups,
            pad_value=pad_value,
            learned_threshold=learned_threshold,
            bias=conv.bias is not None,
            input_binary=input_binary,
            binarizer=binarizer,
        ).to(conv.weight)
        binary.weight.requires_grad_(conv.weight.requires_grad)
        with torch.no_grad():
            binary.weight.copy_(conv.weight)
            if conv.bias is not None and binary.bias is not None:
                binary.bias.copy_(conv.bias)
                binary.bias.requires_grad_(conv.bias.requires_grad)
        return binary.train(conv.training)

    @property
    def filters(self) -> torch.Tensor:
        """The latent weights as those of a convolution over images, [O, C / groups, kh, kw]."""
        return self.weight

    @property
    def two_values(self) -> TwoValues:
        """The binary weights as signs, scale and offset, detached."""
        return binarize(self.filters, self.binarizer)

    @property
    def scale(self) -> torch.Tensor:
        """The scale per output channel, [O], detached."""
        return self.two_values.scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.is_autocast_enabled(x.device.type):
            with torch.autocast(x.device.type, enabled=False):
                return self._forward(x.float())
        return self._forward(x)

    def _forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.input_binary:
            x = sign(x, None if self.threshold is None else self.threshold[:, None, None])
        if self.weight_binary:
            weights = self.two_values
            y = self._convolve(x, straight_through(self.filters, weights.signs)) * weights.scale[:, None, None]
            if weights.offset is not None:
                box_sums = self._convolve(x, torch.ones_like(self.filters[: self.groups]))
                y = y + spread(box_sums, self.out_channels) * weights.offset[:, None, None]
        else:
            y = self._convolve(x, self.filters)
        return y if self.bias is None else y + self.bias[:, None, None]

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        parts.append(f"padding={self.padding}, pad_value={self.pad_value}, dilation={self.dilation}")
        parts += [] if self.groups == 1 else [f"groups={self.groups}"]
        parts += [] if self.input_binary else ["input_binary=False"]
        return ", ".join(parts + ([] if self.binarizer == "xnor" else [f"binarizer={self.binarizer!r}"]))

    def _convolve(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        top, left, bottom, right = self.padding
        if self.pad_value == 0 and (top, left) == (bottom, right):
            return F.conv2d(x, weight, None, self.stride, (top, left), self.dilation, self.groups)
        x = F.pad(x, (left, right, top, bottom), value=float(self.pad_value))
        return F.conv2d(x, weight, None, self.stride, 0, self.dilation, self.groups)


def spread(box_sums: torch.Tensor, out_channels: int) -> torch.Tensor:
    """The box sums [N, groups, H, W] of all ``out_channels``; those of one group broadcast as they are."""
    groups = box_sums.shape[-3]
    return box_sums if groups == 1 else box_sums.repeat_interleave(out_channels // groups, dim=-3)


def pair(sizes: Sequence[int]) -> tuple[int, int]:
    """``sizes``, of at least 1, of a convolution as (height, width); those of a 1-D convolution are for one row."""
    height, width = (1, *sizes) if len(sizes) == 1 else sizes
    return height, width


def unsupported(conv: nn.Conv2d | nn.Conv1d) -> str:
    """The reason why ``conv`` has no binary form, or an empty string."""
    if conv.padding_mode != "zeros":
        return f"padding mode {conv.padding_mode!r}"
    return group_obstacle(conv.groups, conv.in_channels)


def explicit_padding(conv: nn.Conv2d | nn.Conv1d) -> tuple[int, int, int, int]:
    """The padding of ``conv`` as (top, left, bottom, right); it may be given in pixels, as "same" or as "valid"."""
    if conv.padding == "valid":
        return (0, 0, 0, 0)
    if isinstance(conv.padding, str):
        # "same": as in torch, the odd pixel goes to the bottom and the right.
        total = [d * (k - 1) for d, k in zip(pair(conv.dilation), pair(conv.kernel_size))]
        return (total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2)
    vertical, horizontal = (0, *conv.padding) if isinstance(conv, nn.Conv1d) else conv.padding
    return (vertical, horizontal, vertical, horizontal)
