"""The first step of a training, taken on two images before anything is measured: what fails in it fails in seconds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.data import DataBundle
from b2nn_tvm.data.batches import BatchIndex
from b2nn_tvm.data.bundle import Batch, Images
from b2nn_tvm.errors import B2nnError, InputError
from b2nn_tvm.mixbin.network.silence import quiet
from b2nn_tvm.mixbin.tracing.prepare import copied
from b2nn_tvm.progress import Note
from b2nn_tvm.provenance.user_code import place_of, told
from b2nn_tvm.words.number_of import number_of

IMAGES = 2
SPLITS = ("train", "val", "test")


def first_batches(data: DataBundle, *, note: Note, batch_size: int = IMAGES) -> dict[str, Batch]:
    """Two images of each split, or one where batches are of one image, read as a training reads them.

    ``note`` is told of classes without images, as far as the labels are known. Raises InputError where reading fails,
    and where images or labels are not of the shapes and classes that the data set tells.
    """
    for split in SPLITS:
        _check_labels(data, split, note=note)
    return {split: _batch(data, split, min(IMAGES, batch_size)) for split in SPLITS}


def take_step(model: nn.Module, batches: Mapping[str, Batch], *, trains: bool) -> None:
    """A step of training with the first training images, on a copy of ``model``, and an answer in evaluation mode.

    Without ``trains`` the step is a forward pass alone. Raises InputError where the forward pass, the loss or its
    gradient fails.
    """
    with quiet(), torch.random.fork_rng(devices=[]):
        _step(copied(model).train(trains), batches["train"], trains=trains)
    _evaluate(model, batches["val"])


def labels_of(images: Images) -> np.ndarray | None:
    """The labels of all images of a split, where it keeps them together; None where each has to be read."""
    labels = getattr(images, "labels", None)
    if isinstance(labels, torch.Tensor | tuple | list | np.ndarray) and len(labels) == len(images):
        return np.asarray(labels)
    return None


def _check_labels(data: DataBundle, split: str, *, note: Note) -> None:
    images: Images = getattr(data, split)
    labels = labels_of(images)
    if labels is None:
        return
    wrong = np.flatnonzero((labels < 0) | (labels >= data.classes))
    if len(wrong):
        raise InputError(_label_words(data, split, labels[wrong[0]]))
    absent = [name for label, name in enumerate(data.class_names) if not (labels == label).any()]
    told_already = any("none of" in text or "no images of" in text for text in data.notes)
    if absent and not told_already:
        note(f"{data.name}: the {split} split has no images of {', '.join(absent[:8])}")


def _label_words(data: DataBundle, split: str, label: object) -> str:
    return (
        f"{data.name}: a label of the {split} split is {label}, but the {data.classes} classes have the labels 0 to"
        f" {data.classes - 1}; count them from 0, or name all classes"
    )


def _batch(data: DataBundle, split: str, count: int) -> Batch:
    images: Images = getattr(data, split)
    index = BatchIndex(tuple(range(min(count, len(images)))), seed=0 if split == "train" else None)
    try:
        found = images[index]
        pixels, labels = found
    except B2nnError:
        raise
    except Exception as error:
        some = number_of(count, "image")
        raise InputError(f"{data.name}: reading {some} of the {split} split fails with {told(error)}") from error
    shape = (len(index.images), *data.input_shape)
    if not isinstance(pixels, torch.Tensor) or tuple(pixels.shape) != shape or pixels.dtype != torch.float32:
        came = f"{pixels.dtype} {list(pixels.shape)}" if isinstance(pixels, torch.Tensor) else type(pixels).__name__
        raise InputError(
            f"{data.name}: expected images torch.float32 {list(shape)} in the {split} split, but they are {came}"
        )
    if not torch.isfinite(pixels).all():
        raise InputError(f"{data.name}: images of the {split} split hold values that are not finite numbers")
    if not isinstance(labels, torch.Tensor) or labels.dtype != torch.int64 or labels.shape != shape[:1]:
        came = f"{labels.dtype} {list(labels.shape)}" if isinstance(labels, torch.Tensor) else type(labels).__name__
        raise InputError(
            f"{data.name}: expected labels torch.int64 [{shape[0]}] in the {split} split, but they are {came}"
        )
    for label in labels.tolist():
        if not 0 <= label < data.classes:
            raise InputError(_label_words(data, split, label))
    return pixels, labels


def _step(model: nn.Module, batch: Batch, *, trains: bool) -> None:
    try:
        with torch.set_grad_enabled(trains):
            scores = model(batch[0])
            loss = F.cross_entropy(scores.float(), batch[1])
            if trains:
                loss.backward()  # type: ignore[no-untyped-call]
    except B2nnError:
        raise
    except Exception as error:
        raise InputError(
            f"{type(model).__name__}: the first step of training, on {number_of(len(batch[0]), 'image')}, fails with"
            f" {told(error)}"
        ) from error
    if not torch.isfinite(loss):
        raise InputError(
            f"{type(model).__name__}: the loss of the first two images is {float(loss)}; check the weights and the"
            " normalization of the images"
        )
    if trains and all(parameter.grad is None for parameter in model.parameters()):
        raise InputError(
            f"{type(model).__name__}: no parameter gets a gradient, so nothing can be trained; look for"
            " requires_grad = False, detach() and no_grad() in it"
        )


def _evaluate(model: nn.Module, batch: Batch) -> None:
    try:
        with quiet(), torch.no_grad():
            model.eval()(batch[0])
    except B2nnError:
        raise
    except Exception as error:
        if not place_of(error):
            raise
        raise InputError(
            f"{type(model).__name__}: its forward pass in evaluation mode fails with {told(error)}"
        ) from error
