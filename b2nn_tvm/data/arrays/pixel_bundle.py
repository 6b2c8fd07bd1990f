"""A data set of arrays of bytes, normalized by the mean and the deviation of its training images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.data.pixels import PixelImages, statistics
from b2nn_tvm.data.split import stratified_split
from b2nn_tvm.preprocess import Preprocess

Arrays = tuple[np.ndarray, np.ndarray]  # images [N, C, H, W] and labels int64 [N]


def pixel_bundle(name: str, parts: Mapping[str, Arrays], *, class_names: Sequence[str]) -> DataBundle:
    """The data set of the splits train, test and maybe val in ``parts``, whose images are uint8 with C of 1 or 3.

    Without val, a tenth of the training images is held out.
    """
    splits = {
        split: (torch.from_numpy(np.require(images, requirements=["C", "W"])), torch.from_numpy(labels))
        for split, (images, labels) in with_validation(parts).items()
    }
    pixels = splits["train"][0]
    mean, std = statistics(pixels)
    images = {split: PixelImages(*tensors, mean, std) for split, tensors in splits.items()}
    channels, height, width = pixels.shape[1:]
    return DataBundle(
        name=name,
        train=images["train"],
        val=images["val"],
        test=images["test"],
        class_names=tuple(class_names),
        input_shape=(channels, height, width),
        mean=mean,
        std=std,
        preprocess=Preprocess.covering((channels, height, width), mean, std),
    )


def with_validation(parts: Mapping[str, Arrays]) -> dict[str, Arrays]:
    """``parts`` with the split val, for which a tenth of the training images is held out where it is not there."""
    parts = dict(parts)
    if "val" not in parts:
        images, labels = parts["train"]
        val, rest = stratified_split(labels, (max(1, len(labels) // 10),))
        parts["val"], parts["train"] = (images[val], labels[val]), (images[rest], labels[rest])
    return parts
