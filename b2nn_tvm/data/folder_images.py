"""Images on disk, decoded when a batch asks for them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from b2nn_tvm.data.batches import BatchIndex
from b2nn_tvm.data.bundle import Batch, DataBundle
from b2nn_tvm.data.split import stratified_split
from b2nn_tvm.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as torchvision publishes them


@dataclass(frozen=True)
class View:
    """How a file becomes an input [C, size, size]: in color, or in gray where ``mean`` and ``std`` have one channel.

    Evaluation shows the central square of the image, whose side is ``center`` times the image's shorter side. Training
    shows a random crop of at least the share ``least_area`` of the image, in a random aspect ratio.
    """

    size: int
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    center: float = 224 / 256
    least_area: float = 0.35  # the usual 0.08 is for far longer trainings

    @property
    def channels(self) -> int:
        """The number of channels: 3, or 1 for gray."""
        return len(self.mean)


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

    def part(self, rows: np.ndarray) -> Listing:
        """The files of these rows, with their labels."""
        return Listing(tuple(self.files[row] for row in rows), tuple(self.labels[row] for row in rows))


@dataclass(frozen=True)
class FolderImages:
    """A split on disk; with ``augment``, the images of a batch that has a seed are cropped and flipped at random."""

    files: tuple[Path, ...]
    labels: tuple[int, ...]
    view: View
    augment: bool = False

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: BatchIndex) -> Batch:
        augment = self.augment and index.seed is not None
        source = np.random.default_rng(index.seed) if augment else None
        images = np.stack([self._pixels(self.files[row], source) for row in index.images])
        normalized = (images / np.float32(255) - np.array(self.view.mean, np.float32)) / np.array(
            self.view.std, np.float32
        )
        labels = torch.tensor([self.labels[row] for row in index.images])
        return torch.from_numpy(np.ascontiguousarray(normalized.transpose(0, 3, 1, 2))), labels

    @property
    def augmented(self) -> bool:
        return self.augment

    @property
    def digest(self) -> str:
        named = "\n".join(f"{file} {label}" for file, label in zip(self.files, self.labels, strict=True))
        return hashlib.sha256(f"{self.view} {self.augment}\n{named}".encode()).hexdigest()

    def _pixels(self, path: Path, source: np.random.Generator | None) -> np.ndarray:
        from PIL.Image import Resampling

        image, flip = decode(path, "RGB" if self.view.channels == 3 else "L"), False
        if source is None:
            box = _center_box(*image.size, self.view.center)
        else:
            box, flip = _random_box(*image.size, self.view.least_area, source), source.random() < 0.5
        image = image.resize((self.view.size, self.view.size), Resampling.BILINEAR, box=box)
        pixels = np.asarray(image, np.float32).reshape(self.view.size, self.view.size, self.view.channels)
        return pixels[:, ::-1] if flip else pixels


def bundle_of(
    root: Path, listed: Mapping[str, Listing], *, class_names: Sequence[str], view: View, workers: int | None
) -> DataBundle:
    """The data set of the splits train, val and test in ``listed``, named after the folder ``root``.

    Where test is missing, val takes its place, and a tenth of train is held out as val. ``workers`` None means one
    process per CPU that loads images, at most 8.
    """
    listed = dict(listed)
    if "test" not in listed:
        train, listed["test"] = listed["train"], listed["val"]
        held, rest = stratified_split(np.array(train.labels), (max(1, len(train.labels) // 10),))
        listed["val"], listed["train"] = train.part(held), train.part(rest)
    return DataBundle(
        name=root.resolve().name,
        train=FolderImages(*listed["train"], view, augment=True),
        val=FolderImages(*listed["val"], view),
        test=FolderImages(*listed["test"], view),
        class_names=tuple(class_names),
        input_shape=(view.channels, view.size, view.size),
        mean=view.mean,
        std=view.std,
        workers=min(8, os.cpu_count() or 1) if workers is None else workers,
    )


def decode(path: Path, mode: str) -> Image:
    """The image of a file, in one of Pillow's modes such as RGB or L; raises InputError where it cannot be read."""
    from PIL.Image import DecompressionBombError, open

    try:
        with open(path) as file:
            return file.convert(mode)
    except (OSError, ValueError, SyntaxError, DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not a readable image ({reason}); replace or remove it") from None


def _center_box(width: int, height: int, center: float) -> tuple[float, float, float, float]:
    side = min(width, height) * center
    return ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)


def _random_box(
    width: int, height: int, least_area: float, source: np.random.Generator
) -> tuple[float, float, float, float]:
    """A crop of random area and aspect ratio (Szegedy et al., Going Deeper with Convolutions, section 6)."""
    area = width * height * source.uniform(least_area, 1)
    ratio = np.exp(source.uniform(np.log(3 / 4), np.log(4 / 3)))
    wide, high = min(width, (area * ratio) ** 0.5), min(height, (area / ratio) ** 0.5)
    left, top = source.uniform(0, width - wide), source.uniform(0, height - high)
    return (left, top, left + wide, top + high)
