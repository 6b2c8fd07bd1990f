"""A data set in one .npz file: x_train, y_train, and x_val, y_val and/or x_test, y_test, as Keras stores them."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import torch

from b2nn_tvm.data.bundle import DataBundle, TensorImages
from b2nn_tvm.data.split import stratified_split
from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess import Preprocess

_SPLITS = ("train", "val", "test")


def npz(path: str | os.PathLike[str], *, shift: int = 0) -> DataBundle:
    """Read images uint8 (0..255) or float (as they are), [N, H, W], [N, H, W, C] or [N, C, H, W] with C of 1 or 3.

    Labels are integers from 0, [N] or [N, 1]. Where the file has only one of val and test, this split is the test
    split, and a tenth of the training images is held out for validation. ``shift`` > 0 moves and flips the training
    images at random. Raises InputError where the file or an array is not of this form.
    """
    path = Path(path)
    arrays = _read(path)
    if "x_val" in arrays and "x_test" not in arrays:
        arrays["x_test"], arrays["y_test"] = arrays.pop("x_val"), arrays.pop("y_val")
    parts = {split: _images(path, arrays, split) for split in _SPLITS if f"x_{split}" in arrays}
    if not {"train", "test"} <= set(parts):
        raise InputError(
            f"{path}: expected x_train, y_train, and x_test, y_test or x_val, y_val; it has {', '.join(arrays)}"
        )
    pixels = all(arrays[f"x_{split}"].dtype == np.uint8 for split in parts)  # else it is not known what white is
    shape = tuple(parts["train"][0].shape[1:])
    shapes = {split: images.shape[1:] for split, (images, _) in parts.items()}
    if len(set(shapes.values())) > 1:
        raise InputError(
            f"{path}: the splits' images differ in shape: {', '.join(f'{k} {v}' for k, v in shapes.items())}"
        )
    if "val" not in parts:
        images, labels = parts["train"]
        val, rest = stratified_split(labels, (max(1, len(labels) // 10),))
        parts["val"], parts["train"] = (images[val], labels[val]), (images[rest], labels[rest])
    mean, std = parts["train"][0].mean(axis=(0, 2, 3)), np.maximum(parts["train"][0].std(axis=(0, 2, 3)), 1e-6)
    classes = 1 + int(max(labels.max() for _, labels in parts.values()))

    def tensors(split: str) -> TensorImages:
        images, labels = parts[split]
        normalized = ((images - mean[:, None, None]) / std[:, None, None]).astype(np.float32)
        return TensorImages(torch.from_numpy(normalized), torch.from_numpy(labels), shift if split == "train" else 0)

    return DataBundle(
        name=path.stem,
        train=tensors("train"),
        val=tensors("val"),
        test=tensors("test"),
        class_names=tuple(map(str, range(classes))),
        input_shape=shape,
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
        preprocess=Preprocess.covering(shape, mean, std) if pixels else None,
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a data set in .npz") from None
    except (OSError, ValueError, zipfile.BadZipFile, AttributeError) as error:
        raise InputError(f"{path}: expected arrays in .npz, but it cannot be read: {error}") from None


def _images(path: Path, arrays: dict[str, np.ndarray], split: str) -> tuple[np.ndarray, np.ndarray]:
    images, labels = arrays[f"x_{split}"], arrays.get(f"y_{split}")
    if labels is None:
        raise InputError(f"{path}: x_{split} has no y_{split} beside it")
    labels = labels.reshape(len(labels)) if labels.shape == (len(labels), 1) else labels
    if labels.ndim != 1 or len(labels) != len(images) or labels.dtype.kind not in "iu" or (labels < 0).any():
        raise InputError(
            f"{path}: y_{split} should be {len(images)} integers from 0, but it is {labels.dtype} {list(labels.shape)}"
        )
    if images.dtype.kind not in "uf" or (images.dtype.kind == "u" and images.dtype != np.uint8):
        raise InputError(f"{path}: x_{split} should be uint8 or floating point, but it is {images.dtype}")
    whole = images.dtype == np.uint8
    images = images.astype(np.float32) / (255 if whole else 1)
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[3] in (1, 3):
        images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    elif images.ndim != 4 or images.shape[1] not in (1, 3):
        raise InputError(
            f"{path}: x_{split} should be [N, H, W], [N, H, W, C] or [N, C, H, W] with 1 or 3 channels, "
            f"but it is {list(images.shape)}"
        )
    if not np.isfinite(images).all():
        raise InputError(f"{path}: x_{split} holds values that are not finite numbers")
    return images, labels.astype(np.int64)
