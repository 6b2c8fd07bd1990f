"""A data set in one .npz file: x_train, y_train, and x_val, y_val and/or x_test, y_test, as Keras stores them.

It may hold the names of the classes, too: class_names, an array of text.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import torch

from b2nn_tvm.data.arrays.pixel_bundle import pixel_bundle, with_validation
from b2nn_tvm.data.bundle import DataBundle, TensorImages
from b2nn_tvm.errors import InputError

_SPLITS = ("train", "val", "test")


def npz(path: str | os.PathLike[str]) -> DataBundle:
    """Read images uint8 (0..255) or float (as they are), [N, H, W], [N, H, W, C] or [N, C, H, W] with C of 1 or 3.

    Labels are integers from 0, [N] or [N, 1]. Where the file has only one of val and test, this split is the test
    split, and a tenth of the training images is held out for validation. Classes have the names in class_names, else
    their numbers. Raises InputError where the file or an array is not of this form.
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
    shapes = {split: images.shape[1:] for split, (images, _) in parts.items()}
    if len(set(shapes.values())) > 1:
        raise InputError(
            f"{path}: the splits' images differ in shape: {', '.join(f'{k} {v}' for k, v in shapes.items())}"
        )
    if len(kinds := {str(images.dtype) for images, _ in parts.values()}) > 1:
        raise InputError(f"{path}: the splits' images differ in type: {', '.join(sorted(kinds))}; store all alike")
    names = _class_names(path, arrays, classes=1 + int(max(labels.max() for _, labels in parts.values())))
    if parts["train"][0].dtype == np.uint8:
        return pixel_bundle(path.stem, parts, class_names=names)
    parts = with_validation(parts)
    images = parts["train"][0]
    mean, std = images.mean(axis=(0, 2, 3)), np.maximum(images.std(axis=(0, 2, 3)), 1e-6)

    def tensors(split: str) -> TensorImages:
        images, labels = parts[split]
        normalized = ((images - mean[:, None, None]) / std[:, None, None]).astype(np.float32)
        return TensorImages(torch.from_numpy(normalized), torch.from_numpy(labels))

    return DataBundle(
        name=path.stem,
        train=tensors("train"),
        val=tensors("val"),
        test=tensors("test"),
        class_names=names,
        input_shape=tuple(images.shape[1:]),
        mean=tuple(mean.tolist()),
        std=tuple(std.tolist()),
    )  # without a preprocess: it is not known what white is


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
    images = images if images.dtype == np.uint8 else images.astype(np.float32)
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


def _class_names(path: Path, arrays: dict[str, np.ndarray], *, classes: int) -> tuple[str, ...]:
    """The text in class_names, else the numbers of the classes."""
    names = arrays.get("class_names")
    if names is None:
        return tuple(map(str, range(classes)))
    if names.dtype.kind not in "US" or names.ndim != 1 or len(names) < classes:
        raise InputError(
            f"{path}: class_names should be text for each of the {classes} classes of the labels, but it is"
            f" {names.dtype} {list(names.shape)}"
        )
    return tuple(names.astype(str).tolist())
