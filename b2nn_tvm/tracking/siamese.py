"""SiamFC's head and loss (Bertinetto et al., sections 2.1 and 2.2).

    response = 1e-3 * (features of the exemplar, correlated with the features of the search crop) + bias
    loss = mean over pairs of the weighted mean over cells of log(1 + exp(-y * response))

y is +1 in the cells within a radius around the target's cell, else -1. The cells of +1 and the cells of -1 have equal
total weights.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.plan import Plan
from b2nn_tvm.tracking.sizes import Sizes

SCALE = 1e-3  # keeps sums over thousands of products in the range of the logistic loss


class SiameseNet(nn.Module):
    """Pairs [N, 3, search, search + exemplar] (see pairs.py) to responses [N, response * response], row by row.

    ``trunk`` maps crops [N, 3, H, W] to features [N, C, H', W'] and sees both crops, each at its own size.
    """

    def __init__(self, trunk: nn.Module, sizes: Sizes):
        super().__init__()
        self.trunk, self.sizes = trunk, sizes
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, pairs: torch.Tensor) -> torch.Tensor:
        search = pairs[..., : self.sizes.search]
        exemplar = pairs[..., : self.sizes.exemplar, self.sizes.search :]
        responses = correlate(self.trunk(exemplar), self.trunk(search))
        return (responses * SCALE + self.bias).flatten(1)

    def convert(self, choice: Plan | Iterable[str], **options: Any) -> SiameseNet:
        """A copy in which the layers of ``choice`` (names in the trunk) are binary; ``options`` as of ``convert``."""
        result = copy.deepcopy(self)
        result.trunk = convert(self.trunk, choice, **options)
        return result


def correlate(exemplars: torch.Tensor, searches: torch.Tensor) -> torch.Tensor:
    """The features of each search crop [N, C, H, W], correlated with those of its exemplar [N, C, h, w].

    The result is [N, H - h + 1, W - w + 1].
    """
    count, channels, height, width = searches.shape
    together = searches.reshape(1, count * channels, height, width)
    return F.conv2d(together, exemplars, groups=count)[0]


@dataclass(frozen=True)
class LogisticLoss:
    """The loss of (responses [N, side * side], cells [N]) with ``side`` cells per row; ``radius`` is in cells, too.

    The usual radius is 16 pixels of a search crop of 255 pixels: one cell of a trunk of stride 16.
    """

    side: int
    radius: float = 1.0

    def __call__(self, responses: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
        near = self._near(cells)
        counts = near.sum(dim=1, keepdim=True)
        weights = torch.where(near, 0.5 / counts, 0.5 / (self.side**2 - counts))
        signs = torch.where(near, 1.0, -1.0)
        return (weights * F.softplus(-signs * responses)).sum(dim=1).mean()

    def _near(self, cells: torch.Tensor) -> torch.Tensor:
        """The mask of the cells within the radius around the target's cell, bool [N, side * side]."""
        steps = torch.arange(self.side, device=cells.device)
        down = (steps - (cells // self.side)[:, None])[:, :, None]
        right = (steps - (cells % self.side)[:, None])[:, None, :]
        return (down.square() + right.square() <= self.radius**2).flatten(1)
