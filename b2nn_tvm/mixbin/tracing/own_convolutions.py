"""A subclass of Conv2d with a forward of its own may still be a convolution: with other borders, of computed weights.

conv2d(pad(x, "same"), weight)                     is   conv2d(x, weight) with the padding for this image
conv2d(x, (weight - mean(weight)) / std(weight))   is   conv2d(x, weight') with the weights as they are now
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from b2nn_tvm.mixbin.modules.binary_conv import explicit_padding, pair

_ARGUMENTS = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")


@dataclass(frozen=True)
class OwnConvolution:
    """The convolution that a module computes: ``padding`` is (top, left, bottom, right), of zeros.

    ``weight`` [O, C / groups, kh, kw] and ``bias`` are the values of this moment.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    dilation: tuple[int, int]
    groups: int

    def plain(self, module: nn.Conv1d | nn.Conv2d) -> nn.Conv2d:
        """A plain convolution without the padding, in the place of ``module``."""
        out_channels, channels, *kernel = self.weight.shape
        conv = nn.Conv2d(
            channels * self.groups,
            out_channels,
            pair(kernel),
            self.stride,
            dilation=self.dilation,
            groups=self.groups,
            bias=self.bias is not None,
            device="meta",
        )
        trained = module.weight.requires_grad
        conv.weight = nn.Parameter(self.weight.detach().clone(), requires_grad=trained)
        if self.bias is not None:
            conv.bias = nn.Parameter(self.bias.detach().clone(), requires_grad=trained)
        return conv.train(module.training)


def own_convolution(
    module: nn.Conv2d,
    nodes: Sequence[fx.Node],
    source: fx.Node,
    last: fx.Node,
    values: Mapping[fx.Node, torch.Tensor],
) -> OwnConvolution | None:
    """What ``nodes``, the calls in the forward of ``module``, compute from ``source``; None if it is no convolution.

    ``values`` has the tensors that the nodes gave.
    """
    if last not in nodes or last.op != "call_function" or last.target not in (F.conv2d, torch.conv2d):
        return None
    arguments: dict[str, Any] = dict(zip(_ARGUMENTS, last.args)) | last.kwargs
    image, weight, bias = (arguments.get(name) for name in ("input", "weight", "bias"))
    padding = _padding_before(image, source, nodes)
    inside = set(nodes)
    fixed = all(
        node is None or (isinstance(node, fx.Node) and _is_constant(node, source, inside)) for node in (weight, bias)
    )
    if padding is None or not fixed or not isinstance(weight, fx.Node) or weight not in values:
        return None
    stride, dilation = _pair(arguments.get("stride", 1)), _pair(arguments.get("dilation", 1))
    given = arguments.get("padding", 0)
    size = pair(values[weight].shape[2:])
    like = nn.Conv2d(
        1, 1, size, padding=given if isinstance(given, str) else _pair(given), dilation=dilation, device="meta"
    )
    top, left, bottom, right = (one + two for one, two in zip(padding, explicit_padding(like), strict=True))
    return OwnConvolution(
        values[weight],
        values[bias] if isinstance(bias, fx.Node) else None,
        stride,
        (top, left, bottom, right),
        dilation,
        int(arguments.get("groups", 1)),
    )


def _padding_before(image: object, source: fx.Node, nodes: Sequence[fx.Node]) -> tuple[int, int, int, int] | None:
    """The zeros around ``source`` that make ``image``, as (top, left, bottom, right); None if something else does."""
    top = left = bottom = right = 0
    while image is not source:
        if not isinstance(image, fx.Node) or image not in nodes or image.target is not F.pad:
            return None
        arguments = dict(zip(("input", "pad", "mode", "value"), image.args)) | image.kwargs
        sizes = arguments["pad"]
        plain = arguments.get("mode", "constant") == "constant" and not arguments.get("value")
        if not plain or not isinstance(sizes, (list, tuple)) or len(sizes) not in (2, 4) or min(sizes) < 0:
            return None
        before, after, *vertical = sizes
        above, below = vertical or (0, 0)
        top, left, bottom, right = top + above, left + before, bottom + below, right + after
        image = arguments["input"]
    return (top, left, bottom, right)


def _is_constant(node: fx.Node, source: fx.Node, inside: set[fx.Node]) -> bool:
    """Whether ``node`` depends on parameters alone."""
    pending, seen = [node], {node}
    while pending:
        each = pending.pop()
        if each is source or (each not in inside and each.op != "get_attr"):
            return False
        fresh = [other for other in each.all_input_nodes if other not in seen]
        seen.update(fresh)
        pending += fresh
    return True


def _pair(value: object) -> tuple[int, int]:
    if isinstance(value, (list, tuple)):
        return pair(value) if len(value) == 2 else (int(value[0]), int(value[0]))
    return (int(value), int(value))  # type: ignore[call-overload]
