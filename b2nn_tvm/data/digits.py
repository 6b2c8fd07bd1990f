"""The handwritten digits that ship with scikit-learn (UCI, 1,797 images of 8x8), enlarged to 3x32x32."""

from __future__ import annotations

import numpy as np
import torch

from b2nn_tvm.data.bundle import DataBundle, TensorImages
from b2nn_tvm.data.split import stratified_split
from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess import Preprocess

SIZE, CHANNELS = 32, 3
HELD_OUT = 360  # images for validation, and as many for test; 1,077 remain to train on


def digits() -> DataBundle:
    """1,077 training, 360 validation and 360 test images [3, 32, 32] in 10 classes, the same on every machine.

    Nothing is downloaded. Raises InputError where scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise InputError(
            "the digits come with scikit-learn, which is not installed: pip install scikit-learn"
        ) from None
    pixels, labels = load_digits(return_X_y=True)
    small = torch.from_numpy(pixels.reshape(-1, 1, 8, 8).astype(np.float32) / 16)
    images = torch.nn.functional.interpolate(small, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
    test, val, train = stratified_split(labels, (HELD_OUT, HELD_OUT))
    mean, std = float(images[train].mean()), float(images[train].std())
    images = ((images - mean) / std).expand(-1, CHANNELS, -1, -1)
    targets = torch.from_numpy(labels.astype(np.int64))

    def part(rows: np.ndarray) -> TensorImages:
        return TensorImages(images[rows].contiguous(), targets[rows])

    return DataBundle(
        name="digits",
        train=part(train),
        val=part(val),
        test=part(test),
        class_names=tuple(map(str, range(10))),
        input_shape=(CHANNELS, SIZE, SIZE),
        mean=(mean,) * CHANNELS,
        std=(std,) * CHANNELS,
        preprocess=Preprocess.covering((CHANNELS, SIZE, SIZE), (mean,) * CHANNELS, (std,) * CHANNELS),
    )
