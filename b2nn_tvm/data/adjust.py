"""A data set with another normalization or augmentation than its own, and other names and weights of its classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from b2nn_tvm.data.augment.augmentation import AS_THEY_ARE, LEAST_AREA, OPERATIONS, Augmentation
from b2nn_tvm.data.bundle import DataBundle, Images, TensorImages
from b2nn_tvm.data.class_weights import class_weights_of
from b2nn_tvm.data.folder_images import FolderImages
from b2nn_tvm.data.pixels import PixelImages
from b2nn_tvm.errors import InputError
from b2nn_tvm.words.number_of import number_of

AUGMENTATIONS = ("none", "flip-crop", "random-resized", "randaugment")


def adjusted(
    data: DataBundle,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    augment: str | None = None,
    class_names: Sequence[str] | None = None,
    class_weights: str | None = None,
) -> DataBundle:
    """``data`` with images normalized as (pixel in 0..1 - ``mean``) / ``std``, a number per channel or one for all, and
    with training images that are changed at random in the way ``augment``, one of AUGMENTATIONS.

    "flip-crop" moves images by up to an eighth of their side and flips half of them; "random-resized" shows crops of at
    least 35 % of the area instead; "randaugment" adds RandAugment's operations to the set's own way, or else to
    flip-crop. ``class_weights`` is "balanced" or a file (see ``class_weights_of``). None leaves what the data set has.
    Raises InputError for numbers and names that do not fit the channels and classes, another augmentation, and for
    splits of a user's own kind, which decide for themselves.
    """
    if class_names is not None:
        if len(class_names) != data.classes:
            raise InputError(f"expected a name for each of the {data.classes} classes, but got {len(class_names)}")
        data = replace(data, class_names=tuple(class_names))
    if class_weights is not None:
        data = replace(data, class_weights=class_weights_of(class_weights, data))
    if mean is None and std is None and augment is None:
        return data
    if augment is not None and augment not in AUGMENTATIONS:
        raise InputError(f"unknown augmentation {augment!r}; choose one of {', '.join(AUGMENTATIONS)}")
    new_mean, new_std = _channels("mean", mean, data.mean), _channels("std", std, data.std)
    if any(value <= 0 for value in new_std):
        raise InputError(f"std: expected numbers above zero, but got {_listed(new_std)}")
    return replace(
        data,
        train=_split(data.train, data, new_mean, new_std, augment),
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
            f"{what}: expected {number_of(len(own), 'number')} with commas between, one per channel, or one for"
            f" all, but got {_listed(given)}"
        )
    return values


def _listed(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values)


def _augmentation(word: str, own: Augmentation, height: int, width: int) -> Augmentation:
    """What ``word`` means for images of this size whose own augmentation is ``own``."""
    if word == "none":
        return AS_THEY_ARE
    if word == "random-resized":
        return Augmentation(least_area=own.least_area if own.least_area < 1 else LEAST_AREA)
    moving = Augmentation.moving(height, width)
    return moving if word == "flip-crop" else replace(own or moving, operations=OPERATIONS)


def _split(
    images: Images, data: DataBundle, mean: tuple[float, ...], std: tuple[float, ...], word: str | None
) -> Images:
    if not isinstance(images, FolderImages | PixelImages | TensorImages):
        raise InputError(
            f"the data {data.name} reads its images by {type(images).__name__}, which decides itself how they are"
            " normalized and augmented; leave out mean, std and augment"
        )
    augment = images.augment if word is None else _augmentation(word, images.augment, *data.input_shape[1:])
    if isinstance(images, FolderImages):
        return replace(images, view=replace(images.view, mean=mean, std=std), augment=augment)
    if isinstance(images, PixelImages):
        return replace(images, mean=mean, std=std, augment=augment)
    if augment.operations:
        return PixelImages(_levels(images, data), images.labels, mean, std, augment)
    if (mean, std) != (data.mean, data.std):
        pixels = images.images * _per_channel(data.std) + _per_channel(data.mean)
        images = replace(images, images=(pixels - _per_channel(mean)) / _per_channel(std))
    return replace(images, augment=augment)


def _levels(images: TensorImages, data: DataBundle) -> torch.Tensor:
    """The nearest bytes of images that are kept as floats, uint8 [N, C, H, W]."""
    if data.preprocess is None:
        raise InputError(
            f"the data {data.name} are floats of which it is not known what is white, and randaugment needs 0 to 255:"
            " take another augmentation, or store the images as uint8"
        )
    levels = (images.images * _per_channel(data.std) + _per_channel(data.mean)) * 255
    return levels.round_().clamp_(0, 255).to(torch.uint8)


def _per_channel(values: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(values)[:, None, None]
