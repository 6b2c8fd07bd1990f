"""A data set as training, selection and export see it: three disjoint splits that hand out whole batches."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from b2nn_tvm.data.augment.augmentation import AS_THEY_ARE, Augmentation
from b2nn_tvm.data.batches import BatchesInOrder, BatchIndex, ShuffledBatches
from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess import Preprocess
from b2nn_tvm.provenance.user_code import place_of, told
from b2nn_tvm.words.number_of import number_of

Batch = tuple[torch.Tensor, torch.Tensor]
Batches = Sequence[Batch]


class Images(Protocol):
    """A split; indexing it by a BatchIndex gives (normalized images float32 [N, C, H, W], labels int64 [N])."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: BatchIndex) -> Batch: ...

    @property
    def augmented(self) -> bool:
        """Whether the images are augmented, so that each of them looks different in each epoch."""

    @property
    def digest(self) -> str:
        """A hash of the content, or of the names of its files."""


@dataclass(frozen=True, repr=False)
class TensorImages:
    """A split in memory: ``images`` float32 [N, C, H, W], ``labels`` int64 [N]; batches with a seed are augmented.

    Raises InputError for other shapes.
    """

    images: torch.Tensor
    labels: torch.Tensor
    augment: Augmentation = AS_THEY_ARE

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.labels.shape != self.images.shape[:1]:
            raise InputError(
                f"expected images [N, C, H, W] and labels [N], but they are {list(self.images.shape)} and "
                f"{list(self.labels.shape)}"
            )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"<TensorImages: {len(self):,} of {'x'.join(map(str, self.images.shape[1:]))}>"

    def __getitem__(self, index: BatchIndex) -> Batch:
        rows = torch.tensor(index.images, device=self.images.device)
        images = self.images[rows]
        if index.seed is not None:
            images = self.augment(images, np.random.default_rng(index.seed))
        return images, self.labels[rows]

    def on(self, device: torch.device) -> TensorImages:
        """The same split with its images on ``device``, where its batches are then made."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    @property
    def augmented(self) -> bool:
        return bool(self.augment)

    @property
    def digest(self) -> str:
        parts = (self.images.numpy().tobytes(), self.labels.numpy().tobytes(), str(self.augment).encode())
        return hashlib.sha256(b"".join(parts)).hexdigest()


@dataclass(frozen=True, repr=False)
class DataBundle:
    """Three disjoint splits of one data set; ``input_shape`` is (C, H, W).

    Images were normalized as (pixel in 0..1 - ``mean``) / ``std`` per channel. ``workers`` is the number of processes
    that load images; it is 0 where the images are in memory. ``notes`` are remarks for the user, such as on files that
    were left out. ``preprocess`` is how a picture becomes an input in evaluation, which goes with the network to the
    board; None where that is not known, as with values that were no pixels. ``class_weights`` say how much an image of
    each class counts in the loss of a training; None is once each.

    Raises InputError for an empty split, a preprocess that makes inputs of another size, and weights that are not one
    positive number for each class.
    """

    name: str
    train: Images
    val: Images
    test: Images
    class_names: tuple[str, ...]
    input_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    workers: int = 0
    notes: tuple[str, ...] = ()
    preprocess: Preprocess | None = None
    class_weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.preprocess is not None and self.preprocess.shape[1:] != tuple(self.input_shape):
            raise InputError(
                f"the data set {self.name} has images {list(self.input_shape)}, but its preprocess makes"
                f" {list(self.preprocess.shape[1:])} of a picture: change it as well, or leave it out (None)"
            )
        for split in ("train", "val", "test"):
            if len(getattr(self, split)) == 0:
                raise InputError(f"the data set {self.name} has no images in its {split} split")
        weights = self.class_weights
        if weights is not None and (len(weights) != self.classes or not _all_weigh(weights)):
            raise InputError(
                f"the data set {self.name}: expected a finite weight above zero for each of its {self.classes} classes,"
                f" but got {', '.join(f'{weight:g}' for weight in weights[:8]) or 'none'}"
            )

    def __repr__(self) -> str:
        counts = " + ".join(f"{len(split):,}" for split in (self.train, self.val, self.test))
        shape = "x".join(map(str, self.input_shape))
        classes = number_of(self.classes, "class", "classes")
        return f"<DataBundle {self.name}: {counts} images of {shape} (train, val, test) in {classes}>"

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def digest(self) -> str:
        """A hash of all three splits, and of the weights of the classes."""
        parts = [split.digest for split in (self.train, self.val, self.test)]
        parts += [] if self.class_weights is None else [str(self.class_weights)]
        return hashlib.sha256(" ".join((self.name, *map(str, self.input_shape), *parts)).encode()).hexdigest()

    def on(self, device: torch.device) -> DataBundle:
        """The data set with the images that are in memory on ``device``, where their batches are then made."""
        if device.type == "cpu":
            return self
        train, val, test = (_on(images, device) for images in (self.train, self.val, self.test))
        return replace(self, train=train, val=val, test=test)

    def train_loader(self, batch: int = 64, *, seed: int = 0, replicas: int = 1, rank: int = 0) -> DataLoader[Batch]:
        """Shuffled batches in an order fixed by ``seed`` and epoch; process ``rank`` of ``replicas`` gets its share."""
        order = ShuffledBatches(len(self.train), _positive(batch), seed=seed, replicas=replicas, rank=rank)
        return _Loader(self.train, order, self.workers)

    def val_loader(self, batch: int = 256) -> DataLoader[Batch]:
        """The validation split in order: the images on which choices may be made."""
        return in_order(self.val, batch, workers=self.workers)

    def test_loader(self, batch: int = 256) -> DataLoader[Batch]:
        """The test split in order: the images on which results are reported. Nothing may be chosen by them."""
        return in_order(self.test, batch, workers=self.workers)

    def fit_loader(self, batch: int = 256) -> DataLoader[Batch]:
        """The training split in order and without augmentation."""
        return in_order(self.train, batch, workers=self.workers)

    def calibration(self, images: int = 256, *, batch: int = 64, seed: int = 0) -> tuple[Batch, ...]:
        """Batches of ``images`` training images, drawn by ``seed`` and not augmented: the same batches in each call."""
        order = np.random.default_rng([seed, 0xCA1]).permutation(len(self.train))[: _positive(images)].tolist()
        parts = [order[first : first + _positive(batch)] for first in range(0, len(order), batch)]
        return tuple(self.train[BatchIndex(tuple(part))] for part in parts)


def in_order(
    images: Images, batch: int = 256, *, workers: int = 0, replicas: int = 1, rank: int = 0
) -> DataLoader[Batch]:
    """All images of a split once, in order, without augmentation: the share of process ``rank`` of ``replicas``."""
    order = BatchesInOrder(len(images), _positive(batch), replicas=replicas, rank=rank)
    return _Loader(images, order, workers)


class _Loader(DataLoader[Batch]):
    """A loader of whole batches by a sampler's BatchIndex, which draws nothing from torch's global random state.

    It passes on the errors of loading processes as they were raised, without the traceback that torch puts in the text.
    Those of a user's own data set become InputErrors that say whose they are.
    """

    def __init__(self, images: Images, order: Sampler[BatchIndex], workers: int):
        # torch's annotation asks for a Dataset, but torch uses no more of it than __len__ and __getitem__.
        data = cast("Dataset[Batch]", images)
        super().__init__(data, sampler=order, batch_size=None, num_workers=workers, generator=torch.Generator())

    # torch annotates the result with a private iterator of its own; the users of a loader only iterate over it.
    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        try:
            yield from super().__iter__()
        except InputError as error:
            raise InputError(str(error).strip().splitlines()[-1].rpartition("errors.InputError: ")[2]) from None
        except Exception as error:
            if not place_of(error):
                raise
            raise InputError(f"your data set fails with {told(error)}") from error


def _on(images: Images, device: torch.device) -> Images:
    """A split on ``device`` where it is in memory; one of files or of a user's own kind as it is."""
    move = getattr(images, "on", None)
    return images if move is None else cast(Images, move(device))


def _all_weigh(weights: Sequence[float]) -> bool:
    return all(math.isfinite(weight) and weight > 0 for weight in weights)


def _positive(count: int) -> int:
    if count < 1:
        raise InputError(f"expected a number of images above zero, not {count}")
    return count
