"""A data set with another normalization or augmentation than its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from b2nn_tvm.data.bundle import DataBundle, Images, TensorImages
from b2nn_tvm.data.folder_images import FolderImages
from b2nn_tvm.data.pixels import PixelImages
from b2nn_tvm.errors import InputError

AUGMENTATIONS = ("none", "flip-crop")
SHIFT = 8  # images in memory move by up to an eighth of their side: CIFAR's usual 4 pixels of 32


def adjusted(
    data: DataBundle,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    augment: str | None = None,
) -> DataBundle:
    """``data`` with images normalized as (pixel in 0..1 - ``mean``) / ``std``, a number per channel or one for all, and
    with training images as they are ("none") or cropped and flipped at random ("flip-crop").

    None leaves what the data set has. Raises InputError for numbers that do not fit the channels, another augmentation,
    and for splits of a user's own kind, which decide for themselves.
    """
    if mean is None and std is None and augment is None:
        return data
    if augment is not None and augment not in AUGMENTATIONS:
        raise InputError(f"unknown augmentation {augment!r}; choose one of {', '.join(AUGMENTATIONS)}")
    new_mean, new_std = _channels("mean", mean, data.mean), _channels("std", std, data.std)
    if any(value <= 0 for value in new_std):
        raise InputError(f"std: expected numbers above zero, but got {_listed(new_std)}")
    crops = {None: None, "none": False, "flip-crop": True}[augment]
    return replace(
        data,
        train=_split(data.train, data, new_mean, new_std, crops),
        val=_split(data.val, data, new_mean, new_std, None),
        test=_split(data.test, data, new_mean, new_std, None),
        mean=new_mean,
        std=new_std,
        preprocess=data.preprocess and replace(data.preprocess, mean=new_mean, std=new_std),
    )


def _channels(what: str, given: Sequence[float] | None, own: tuple[float, ...]) -> tuple[float, ...]:
    """One finite number per channel."""
    if given is None:
        return own
    values = tuple(map(float, given)) * (len(own) if len(given) == 1 else 1)
    if len(values) != len(own) or not all(map(math.isfinite, values)):
        raise InputError(
            f"{what}: expected {len(own)} number{'s' * (len(own) > 1)} with commas between, one per channel, or one for"
            f" all, but got {_listed(given)}"
        )
    return values


def _listed(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values)


def _split(
    images: Images, data: DataBundle, mean: tuple[float, ...], std: tuple[float, ...], crops: bool | None
) -> Images:
    shift = None if crops is None else max(1, min(data.input_shape[1:]) // SHIFT) if crops else 0
    if isinstance(images, FolderImages):
        view = replace(images.view, mean=mean, std=std)
        return replace(images, view=view, augment=images.augment if crops is None else crops)
    if isinstance(images, PixelImages):
        return replace(images, mean=mean, std=std, shift=images.shift if shift is None else shift)
    if isinstance(images, TensorImages):
        if (mean, std) != (data.mean, data.std):
            pixels = images.images * _per_channel(data.std) + _per_channel(data.mean)
            images = replace(images, images=(pixels - _per_channel(mean)) / _per_channel(std))
        return replace(images, shift=images.shift if shift is None else shift)
    raise InputError(
        f"the data {data.name} reads its images by {type(images).__name__}, which decides itself how they are"
        " normalized and augmented; leave out mean, std and augment"
    )


def _per_channel(values: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(values)[:, None, None]
