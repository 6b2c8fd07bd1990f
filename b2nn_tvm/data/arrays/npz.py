"""A data set in arrays, in one .npz file or a folder of .npy files: images and labels of each split.

Keras calls them x_train, y_train, and so on, MedMNIST train_images; array_names knows these and other names. There may
be the names of the classes, too: class_names, an array of text.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from b2nn_tvm.data.arrays.array_images import channels_first
from b2nn_tvm.data.arrays.array_labels import class_numbers
from b2nn_tvm.data.arrays.array_names import standard_names
from b2nn_tvm.data.arrays.pixel_bundle import Arrays, pixel_bundle, with_validation
from b2nn_tvm.data.bundle import DataBundle, TensorImages
from b2nn_tvm.data.split import stratified_split
from b2nn_tvm.errors import InputError

_SPLITS = ("train", "val", "test")
_IN_NO_SPLITS = {"x", "y"}
_NEEDED = {"x_train", "y_train"}


def is_arrays(path: Path) -> bool:
    """Whether the path is an .npz file, or a folder with .npy files whose names are those of images and labels."""
    if path.is_dir():
        found = standard_names(each.stem for each in path.glob("*.npy"))
        return found.keys() >= _NEEDED or found.keys() >= _IN_NO_SPLITS
    return path.suffix == ".npz"


def npz(path: str | os.PathLike[str]) -> DataBundle:
    """Read images of whole numbers (0..255) or float (as they are), [N, H, W], [N, H, W, C] or [N, C, H, W] with C of 1
    or 3, and labels in any of the forms of ``class_numbers``.

    Where there is only one of val and test, this split is the test split, and a tenth of the training images is held
    out for validation; of a set in no splits, a fifth is held out for testing before. Classes have the names in
    class_names, else those that the labels give. Raises InputError where the file or an array is not of this form.
    """
    path = Path(path)
    content = _read(path)
    try:
        parts, given = _parts(content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    names = _class_names(path, content, given)
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
        if path.is_dir():
            return {each.stem: np.load(each, allow_pickle=False) for each in sorted(path.glob("*.npy"))}
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a data set in .npz") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise InputError(f"{path}: expected arrays in .npz, but it cannot be read: {error}") from None


def _parts(content: dict[str, np.ndarray]) -> tuple[dict[str, Arrays], tuple[str, ...]]:
    """(Images [N, C, H, W] and classes of each split, the names that the labels give the classes.)"""
    named = standard_names(content)
    if named.keys() >= _IN_NO_SPLITS and not named.keys() >= _NEEDED:
        named = {f"{kind}_all": named[kind] for kind in "xy"}
    elif "x_val" in named and "x_test" not in named:
        named = {meaning.replace("val", "test"): name for meaning, name in named.items()}
    splits = [split for split in (*_SPLITS, "all") if f"x_{split}" in named]
    if splits != ["all"] and not {"train", "test"} <= {*splits}:
        raise InputError(
            "expected x_train, y_train, and x_test, y_test or x_val, y_val, or x and y alone, under these names or"
            f" such as train_images and train_labels; it has {', '.join(content) or 'no arrays'}"
        )
    for split in splits:
        image, label = named[f"x_{split}"], named.get(f"y_{split}")
        if label is None:
            raise InputError(f"{image} has no labels beside it, such as y_{split}")
        if len(content[image].shape) == 0 or content[label].shape[:1] != content[image].shape[:1]:
            raise InputError(
                f"{label} should be one label for each of the images in {image}, but these are"
                f" {list(content[label].shape)} and {list(content[image].shape)}"
            )
    labels, given = class_numbers({name: content[name] for name in (named[f"y_{split}"] for split in splits)})
    images = {split: channels_first(named[f"x_{split}"], content[named[f"x_{split}"]]) for split in splits}
    for what, kinds in (
        ("shape", {str(list(each.shape[1:])): None for each in images.values()}),
        ("type", {str(each.dtype): None for each in images.values()}),
    ):
        if len(kinds) > 1:
            raise InputError(f"the splits' images differ in {what}: {', '.join(sorted(kinds))}; store all alike")
    parts = {split: (images[split], labels[named[f"y_{split}"]]) for split in splits}
    return (_in_splits(parts["all"]) if splits == ["all"] else parts), given


def _in_splits(everything: Arrays) -> dict[str, Arrays]:
    images, labels = everything
    test, train = stratified_split(labels, (max(1, len(labels) // 5),))
    return {"train": (images[train], labels[train]), "test": (images[test], labels[test])}


def _class_names(path: Path, content: dict[str, np.ndarray], given: Sequence[str]) -> tuple[str, ...]:
    """The text in class_names, else the names that the labels give."""
    names = content.get("class_names")
    if names is None:
        return tuple(given)
    if names.dtype.kind not in "US" or names.ndim != 1 or len(names) < len(given):
        raise InputError(
            f"{path}: class_names should be text for each of the {len(given)} classes of the labels, but it is"
            f" {names.dtype} {list(names.shape)}"
        )
    return tuple(names.astype(str).tolist())
