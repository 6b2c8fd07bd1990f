"""RandAugment: a few operations of one strength, drawn anew for each image (Cubuk et al., 2020, section 3).

The fourteen operations and the range of each are the paper's. Images that are turned or moved are mirrored at their
border rather than filled with a color.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch.nn import functional as F

from b2nn_tvm.data.augment.random_resized import warped

STRONGEST = 30  # the largest magnitude

# Maps (images uint8 [N, C, H, W], strength of each image, float [N] from -1 to 1) to images.
Operation = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def rand_augment(images: torch.Tensor, operations: int, magnitude: int, source: np.random.Generator) -> torch.Tensor:
    """``images`` uint8 [N, C, H, W] after so many operations each, of the strength ``magnitude``, 0 to 30."""
    images = images.clone()
    for _ in range(operations):
        chosen = source.integers(len(OPERATIONS), size=len(images))
        signs = np.where(source.random(len(images)) < 0.5, -1.0, 1.0).astype(np.float32)
        for number, operation in enumerate(OPERATIONS.values()):
            rows = np.flatnonzero(chosen == number)
            if len(rows):
                where = torch.from_numpy(rows).to(images.device)
                strengths = torch.from_numpy(signs[rows] * (magnitude / STRONGEST)).to(images.device)
                images[where] = operation(images[where], strengths)
    return images


def autocontrast(images: torch.Tensor, _strengths: torch.Tensor) -> torch.Tensor:
    """Each channel's darkest value becomes 0, its lightest 255."""
    values = images.float()
    low, high = values.amin((2, 3), keepdim=True), values.amax((2, 3), keepdim=True)
    spread = (values - low) * 255 / (high - low).clamp(min=1)
    return torch.where(high > low, spread.clamp(0, 255), values).to(torch.uint8)


def equalize(images: torch.Tensor, _strengths: torch.Tensor) -> torch.Tensor:
    """Each channel's values become about equally frequent, as Pillow's ``ImageOps.equalize`` defines it."""
    planes = images.flatten(2).flatten(0, 1).long()
    counts = torch.zeros(len(planes), 256, dtype=torch.long, device=images.device)
    counts.scatter_add_(1, planes, torch.ones_like(planes))
    last = counts.gather(1, planes.amax(1, keepdim=True))  # of the lightest value
    step = (planes.shape[1] - last) // 255
    below = counts.cumsum(1) - counts
    table = ((below + step // 2) // step.clamp(min=1)).clamp(max=255)
    table = torch.where(step > 0, table, torch.arange(256, device=images.device))
    return table.gather(1, planes).reshape(images.shape).to(torch.uint8)


def solarize(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Values from 255 (1 - strength) on are inverted."""
    threshold = _per_image(255 * (1 - strengths.abs()))
    return torch.where(images >= threshold, 255 - images, images)


def posterize(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Values keep their 8 to 4 highest bits."""
    dropped = _per_image((strengths.abs() * 4).round().to(torch.uint8))
    return (images >> dropped) << dropped


def color(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Away from gray or towards it; gray images stay."""
    return _blend(images, _gray(images).round(), strengths)


def contrast(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Away from the mean gray of the image or towards it."""
    return _blend(images, _gray(images).mean((2, 3), keepdim=True).round(), strengths)


def brightness(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Away from black or towards it."""
    return _blend(images, torch.zeros((), device=images.device), strengths)


def sharpness(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Away from a blurred image or towards it; the border stays."""
    values = images.float()
    if min(images.shape[2:]) < 3:
        return images
    kernel = torch.ones(1, 1, 3, 3, device=images.device)
    kernel[0, 0, 1, 1] = 5
    blurred = values.clone()
    planes = values.flatten(0, 1)[:, None]
    blurred[:, :, 1:-1, 1:-1] = (F.conv2d(planes, kernel / 13).round()).reshape(blurred[:, :, 1:-1, 1:-1].shape)
    return _blend(images, blurred, strengths)


def _turn(images: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """Turned by up to 30 degrees; the matrix is in units of half an image, so the aspect ratio comes in."""
    height, width = images.shape[2:]
    angles = strengths * (np.pi / 6)
    sine, cosine = angles.sin(), angles.cos()
    return _warp(images, xx=cosine, xy=-sine * height / width, yx=sine * width / height, yy=cosine)


def _shear(images: torch.Tensor, strengths: torch.Tensor, *, along: str) -> torch.Tensor:
    """Sheared by up to 0.3 pixels per pixel."""
    height, width = images.shape[2:]
    slope = 0.3 * strengths
    return _warp(images, xy=slope * height / width) if along == "x" else _warp(images, yx=slope * width / height)


def _translate(images: torch.Tensor, strengths: torch.Tensor, *, along: str) -> torch.Tensor:
    """Moved by up to 150 of 331 of its side, as the paper's images were (a side is 2 units of the matrix)."""
    distance = 2 * (150 / 331) * strengths
    return _warp(images, x=distance) if along == "x" else _warp(images, y=distance)


# By the paper's names, in its order.
OPERATIONS: dict[str, Operation] = {
    "identity": lambda images, _strengths: images,
    "autocontrast": autocontrast,
    "equalize": equalize,
    "rotate": _turn,
    "solarize": solarize,
    "color": color,
    "posterize": posterize,
    "contrast": contrast,
    "brightness": brightness,
    "sharpness": sharpness,
    "shear-x": partial(_shear, along="x"),
    "shear-y": partial(_shear, along="y"),
    "translate-x": partial(_translate, along="x"),
    "translate-y": partial(_translate, along="y"),
}


def _warp(images: torch.Tensor, **entries: torch.Tensor) -> torch.Tensor:
    """The images by the matrix [[xx, xy, x], [yx, yy, y]], whose entries default to those of the identity."""
    matrices = torch.zeros(len(images), 2, 3, device=images.device)
    matrices[:, 0, 0] = matrices[:, 1, 1] = 1
    places = {"xx": (0, 0), "xy": (0, 1), "x": (0, 2), "yx": (1, 0), "yy": (1, 1), "y": (1, 2)}
    for name, values in entries.items():
        row, column = places[name]
        matrices[:, row, column] = values
    return warped(images, matrices, padding="reflection")


def _blend(images: torch.Tensor, other: torch.Tensor, strengths: torch.Tensor) -> torch.Tensor:
    """other + factor * (image - other), with factors from 0.1 to 1.9."""
    factors = 1 + 0.9 * _per_image(strengths)
    return (other + factors * (images.float() - other)).clamp_(0, 255).to(torch.uint8)


def _gray(images: torch.Tensor) -> torch.Tensor:
    """float [N, 1, H, W]: ITU-R 601-2's luma, as Pillow takes it."""
    values = images.float()
    if images.shape[1] == 1:
        return values
    weights = torch.tensor((0.299, 0.587, 0.114), device=images.device)[:, None, None]
    return (values * weights).sum(1, keepdim=True)


def _per_image(values: torch.Tensor) -> torch.Tensor:
    return values[:, None, None, None]
