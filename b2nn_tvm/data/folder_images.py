"""Images on disk, decoded when a batch asks for them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from b2nn_tvm.data.augment.augmentation import AS_THEY_ARE, LEAST_AREA, Augmentation
from b2nn_tvm.data.augment.random_resized import random_crop
from b2nn_tvm.data.batches import BatchIndex
from b2nn_tvm.data.bundle import Batch, DataBundle
from b2nn_tvm.data.image_files.decode_image import decode
from b2nn_tvm.data.kept_pixels import KeptPixels
from b2nn_tvm.data.pixels import normalized
from b2nn_tvm.data.split import stratified_split
from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess import Preprocess

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as torchvision publishes them
CROPPED = Augmentation(least_area=LEAST_AREA)


@dataclass(frozen=True)
class View:
    """How a file becomes an input [C, size, width]: in color, or in gray where ``mean`` and ``std`` have one channel.

    The width is ``size`` unless given. Evaluation resizes the image, which keeps its ratio, so that it covers the input
    divided by ``center``, and shows its center (``preprocess``).
    """

    size: int
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    center: float = 224 / 256
    width: int | None = None

    @property
    def channels(self) -> int:
        """The number of channels: 3, or 1 for gray."""
        return len(self.mean)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of an input: (C, H, W)."""
        return (self.channels, self.size, self.size if self.width is None else self.width)

    @property
    def preprocess(self) -> Preprocess:
        """How evaluation shows an image."""
        whole = Preprocess.covering(self.shape, self.mean, self.std)
        high, wide = (int(side / self.center) for side in self.shape[1:])
        return replace(whole, resize=replace(whole.resize, height=high, width=wide))


class Listing(NamedTuple):
    """Image files and the class of each."""

    files: tuple[Path, ...]
    labels: tuple[int, ...]

    @classmethod
    def of(cls, classes: Mapping[str, Sequence[Path]], names: Sequence[str]) -> Listing:
        """The files of all classes; the label of a class is its place in ``names``."""
        labels = {name: label for label, name in enumerate(names)}
        pairs = [(file, labels[name]) for name, files in classes.items() for file in files]
        return cls(tuple(file for file, _ in pairs), tuple(label for _, label in pairs))

    def lacks(self, names: Sequence[str]) -> list[str]:
        """The classes of ``names`` of which there is no file."""
        present = set(self.labels)
        return [name for label, name in enumerate(names) if label not in present]

    def part(self, rows: np.ndarray) -> Listing:
        """The files of these rows, with their labels."""
        return Listing(tuple(self.files[row] for row in rows), tuple(self.labels[row] for row in rows))


@dataclass(frozen=True, repr=False)
class FolderImages:
    """A split on disk, whose batches are augmented where they have a seed.

    Files are decoded for each batch, and random crops are made of the files themselves; ``kept`` holds the pixels of
    small images once they are decoded, and crops are made of these.
    """

    files: tuple[Path, ...]
    labels: tuple[int, ...]
    view: View
    augment: Augmentation = AS_THEY_ARE
    kept: KeptPixels | None = None

    def __len__(self) -> int:
        return len(self.files)

    def __repr__(self) -> str:
        return f"<FolderImages: {len(self):,} files>"

    def __getitem__(self, index: BatchIndex) -> Batch:
        source = None if index.seed is None else np.random.default_rng(index.seed)
        labels = torch.tensor([self.labels[row] for row in index.images])
        preprocess = self.view.preprocess
        if self.kept is not None:
            pixels = self.kept.rows(index.images, lambda row: self._pixels(self.files[row], preprocess, None))
        else:
            images = [self._pixels(self.files[row], preprocess, source) for row in index.images]
            pixels = torch.from_numpy(np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2)))
        if source is not None:
            pixels = self.augment(pixels, source, cropped=self.kept is None and self._crops)
        return normalized(pixels, self.view.mean, self.view.std), labels

    @property
    def augmented(self) -> bool:
        return bool(self.augment)

    @property
    def digest(self) -> str:
        named = "\n".join(f"{file} {label}" for file, label in zip(self.files, self.labels, strict=True))
        return hashlib.sha256(f"{self.view} {self.view.preprocess} {self.augment}\n{named}".encode()).hexdigest()

    @property
    def _crops(self) -> bool:
        return self.augment.least_area < 1

    def _pixels(self, path: Path, preprocess: Preprocess, source: np.random.Generator | None) -> np.ndarray:
        """The pixels of an input, uint8 [H, W, C]; a random crop of the file where a ``source`` draws one."""
        from PIL.Image import Resampling

        try:
            image = decode(path, preprocess.mode)
        except InputError as error:
            raise InputError(f"{error}, or leave such files out with --skip-bad 1") from None
        if source is None or not self._crops:
            return preprocess.pixels(image)
        channels, high, wide = self.view.shape
        box, flipped = random_crop(*image.size, wide / high, self.augment.least_area, source)
        image = image.resize((wide, high), Resampling.BILINEAR, box=box)
        pixels = np.asarray(image).reshape(high, wide, channels)
        return pixels[:, ::-1] if flipped else pixels


def bundle_of(
    root: Path,
    listed: Mapping[str, Listing],
    *,
    class_names: Sequence[str],
    view: View,
    workers: int | None,
    notes: Sequence[str] = (),
    augment: Augmentation = CROPPED,
    keep: bool = False,
) -> DataBundle:
    """The data set of the splits train, val and test in ``listed``, named after the folder ``root``.

    Where only one of val and test is there, it is the test split, and a tenth of train is held out as val. ``workers``
    None means one process per CPU that loads images, at most 8. ``notes`` say what was left out. ``augment`` is done to
    training images. ``keep`` keeps the pixels in memory, where they have room, and needs no processes.
    """
    listed, notes = dict(listed), list(notes)
    if "test" not in listed:
        listed["test"] = listed.pop("val")
    if "val" not in listed:
        train = listed["train"]
        held, rest = stratified_split(np.array(train.labels), (max(1, len(train.labels) // 10),))
        listed["val"], listed["train"] = train.part(held), train.part(rest)
        room = len(listed["val"].labels) >= len(class_names)  # else it cannot hold all classes, in a toy set
        if room and (lacking := listed["val"].lacks(class_names)):
            notes.append(f"{root}: among the images held out for validation are none of {', '.join(lacking[:8])}")
    keep = keep and KeptPixels.have_room(sum(len(each.files) for each in listed.values()), view.shape)
    kept = {split: KeptPixels.of(len(each.files), view.shape) if keep else None for split, each in listed.items()}
    return DataBundle(
        name=root.resolve().name,
        train=FolderImages(*listed["train"], view, augment, kept["train"]),
        val=FolderImages(*listed["val"], view, kept=kept["val"]),
        test=FolderImages(*listed["test"], view, kept=kept["test"]),
        class_names=tuple(class_names),
        input_shape=view.shape,
        mean=view.mean,
        std=view.std,
        workers=(0 if keep else min(8, os.cpu_count() or 1)) if workers is None else workers,
        notes=tuple(notes),
        preprocess=view.preprocess,
    )
