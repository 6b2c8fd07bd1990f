"""A data set in memory with images of another size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional as F

from b2nn_tvm.data.bundle import DataBundle, Images, TensorImages
from b2nn_tvm.data.pixels import PixelImages
from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess import Preprocess


def resized(data: DataBundle, size: int) -> DataBundle:
    """``data`` with images ``size`` pixels wide and high: of others the middle, as large as the ratio allows.

    Pixels are resized as a picture is in evaluation, by the ``preprocess`` of the result. Images that are moved in
    training move by as large a share of their side. Raises InputError for a size that is no number of pixels, and for
    splits of a user's own kind.
    """
    if size < 1:
        raise InputError(f"expected a size of at least one pixel, not {size}")
    if data.input_shape[1:] == (size, size):
        return data
    shape = (data.input_shape[0], size, size)
    preprocess = data.preprocess and Preprocess.covering(shape, data.mean, data.std)
    train, val, test = (_split(images, data, shape) for images in (data.train, data.val, data.test))
    return replace(data, train=train, val=val, test=test, input_shape=shape, preprocess=preprocess)


def _split(images: Images, data: DataBundle, shape: tuple[int, int, int]) -> Images:
    if not isinstance(images, PixelImages | TensorImages):
        raise InputError(f"the data {data.name}: its images have a size of their own; leave out size {shape[1]}")
    augment = images.augment
    if augment.shift:
        share = shape[1] / min(data.input_shape[1:])
        augment = replace(augment, shift=max(1, round(augment.shift * share)))
    if isinstance(images, PixelImages):
        return replace(images, pixels=_pixels(images.pixels, shape), augment=augment)
    high, wide = images.images.shape[2:]
    side = min(high, wide)
    top, left = (high - side) // 2, (wide - side) // 2
    middle = images.images[:, :, top : top + side, left : left + side]
    values = F.interpolate(middle, size=shape[1:], mode="bilinear", antialias=True)
    return replace(images, images=values, augment=augment)


def _pixels(pixels: torch.Tensor, shape: tuple[int, int, int]) -> torch.Tensor:
    """uint8 [N, C, H, W] in the new size, by Pillow."""
    from PIL.Image import fromarray

    channels = shape[0]
    preprocess = Preprocess.covering(shape, (0.0,) * channels, (1.0,) * channels)
    result = np.empty((len(pixels), *shape), np.uint8)
    for row, image in enumerate(pixels.permute(0, 2, 3, 1).numpy()):
        picture = fromarray(np.ascontiguousarray(image[:, :, 0] if channels == 1 else image))
        result[row] = preprocess.pixels(picture).transpose(2, 0, 1)
    return torch.from_numpy(result)
