"""Show each image of a batch through a crop of random area and aspect ratio, and flip half of them.

Szegedy et al., Going Deeper with Convolutions, section 6.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

Box = tuple[float, float, float, float]  # left, top, right, bottom


def random_resized(images: torch.Tensor, least_area: float, source: np.random.Generator) -> torch.Tensor:
    """``images`` [N, C, H, W], bytes or floats, each a crop of at least ``least_area`` of it in the same size."""
    height, width = images.shape[2:]
    drawn = [random_crop(width, height, width / height, least_area, source) for _ in range(len(images))]
    boxes, flips = torch.tensor([box for box, _ in drawn]), torch.tensor([flip for _, flip in drawn])
    left, top, right, bottom = (boxes / torch.tensor((width, height) * 2) * 2 - 1).unbind(1)  # -1 to 1 over the image
    matrices = torch.zeros(len(images), 2, 3)
    matrices[:, 0, 0] = torch.where(flips, left - right, right - left) / 2
    matrices[:, 0, 2], matrices[:, 1, 2] = (left + right) / 2, (top + bottom) / 2
    matrices[:, 1, 1] = (bottom - top) / 2
    return warped(images, matrices, padding="border")


def random_crop(
    width: int, height: int, ratio: float, least_area: float, source: np.random.Generator
) -> tuple[Box, bool]:
    """A crop of at least ``least_area`` of an image whose aspect is about ``ratio``, and whether it is flipped."""
    area = width * height * source.uniform(least_area, 1)
    ratio *= np.exp(source.uniform(np.log(3 / 4), np.log(4 / 3)))
    wide, high = min(width, (area * ratio) ** 0.5), min(height, (area / ratio) ** 0.5)
    left, top = source.uniform(0, width - wide), source.uniform(0, height - high)
    return (left, top, left + wide, top + high), bool(source.random() < 0.5)


def warped(images: torch.Tensor, matrices: torch.Tensor, *, padding: str) -> torch.Tensor:
    """Each image by its matrix [N, 2, 3], which maps places in the result to places in the image, both -1 to 1."""
    grid = F.affine_grid(matrices.to(images.device), list(images.shape), align_corners=False)
    values = F.grid_sample(images.float(), grid, mode="bilinear", padding_mode=padding, align_corners=False)
    return values if images.is_floating_point() else values.round_().clamp_(0, 255).to(images.dtype)
