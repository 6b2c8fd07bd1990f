"""A folder per class, as ImageNet is stored: train/<class>/*.jpg, val/<class>/*.jpg, maybe test/<class>/."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from b2nn_tvm.data.batches import BatchIndex
from b2nn_tvm.data.bundle import Batch, DataBundle
from b2nn_tvm.data.split import stratified_split
from b2nn_tvm.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as torchvision publishes them
SHORT_SIDE = 256 / 224  # evaluation: the short side before the center crop, relative to the crop
LEAST_AREA = 0.35  # training: the least share of the image that a crop shows; 0.08 is for far longer trainings


@dataclass(frozen=True)
class FolderImages:
    """A split on disk, decoded when asked for; ``augment`` takes random crops and flips where a batch has a seed."""

    files: tuple[Path, ...]
    labels: tuple[int, ...]
    size: int
    augment: bool = False

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: BatchIndex) -> Batch:
        augment = self.augment and index.seed is not None
        source = np.random.default_rng(index.seed) if augment else None
        images = np.stack([self._pixels(self.files[row], source) for row in index.images])
        normalized = (images / np.float32(255) - np.float32(MEAN)) / np.float32(STD)
        labels = torch.tensor([self.labels[row] for row in index.images])
        return torch.from_numpy(np.ascontiguousarray(normalized.transpose(0, 3, 1, 2))), labels

    @property
    def augmented(self) -> bool:
        return self.augment

    @property
    def digest(self) -> str:
        named = "\n".join(f"{file} {label}" for file, label in zip(self.files, self.labels, strict=True))
        return hashlib.sha256(f"{self.size} {self.augment}\n{named}".encode()).hexdigest()

    def _pixels(self, path: Path, source: np.random.Generator | None) -> np.ndarray:
        from PIL import Image

        image = read_image(path)
        box, flip = _center_box(*image.size), False
        if source is not None:
            box, flip = _random_box(*image.size, source), source.random() < 0.5
        image = image.resize((self.size, self.size), Image.Resampling.BILINEAR, box=box)
        pixels = np.asarray(image, np.float32)
        return pixels[:, ::-1] if flip else pixels


def folder(path: str | os.PathLike, *, size: int = 224, workers: int | None = None) -> DataBundle:
    """Read train/<class>/ and val/<class>/ under ``path`` as images [3, size, size]; needs Pillow.

    Classes are the sorted folder names. Where there is no test/, val/ is the test split, and a tenth of the training
    images is held out for validation. Raises InputError where folders or images are missing, or the splits' classes
    differ.
    """
    root = Path(path)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected a data set with train/<class>/ and val/<class>/ in it")
    found = {split: _scan(root / split) for split in ("train", "val", "test") if (root / split).is_dir()}
    if not {"train", "val"} <= set(found):
        inside = ", ".join(sorted(entry.name for entry in root.iterdir())[:8]) or "nothing"
        raise InputError(f"{root}: expected the folders train/<class>/ and val/<class>/, but it holds {inside}")
    names = tuple(found["train"])
    for split, classes in found.items():
        strangers = sorted(set(classes) - set(names))
        if strangers:
            raise InputError(f"{root / split}: has classes that {root / 'train'} lacks: {', '.join(strangers[:8])}")
    parts = {split: _list(classes, names) for split, classes in found.items()}
    if "test" not in parts:
        parts["test"] = parts["val"]
        files, labels = parts["train"]
        held, rest = stratified_split(np.array(labels), (max(1, len(files) // 10),))
        pick = lambda rows: (tuple(files[row] for row in rows), tuple(labels[row] for row in rows))
        parts["val"], parts["train"] = pick(held), pick(rest)
    return DataBundle(
        name=root.resolve().name,
        train=FolderImages(*parts["train"], size, augment=True),
        val=FolderImages(*parts["val"], size),
        test=FolderImages(*parts["test"], size),
        class_names=names,
        input_shape=(3, size, size),
        mean=MEAN,
        std=STD,
        workers=min(8, os.cpu_count() or 1) if workers is None else workers,
    )


def read_image(path: Path) -> Image.Image:
    """The image in RGB; raises InputError, which names the file, where it is damaged or none. Needs Pillow."""
    from PIL import Image

    try:
        with Image.open(path) as file:
            return file.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not a readable image ({reason}); replace or remove it") from None


def _scan(split: Path) -> dict[str, tuple[Path, ...]]:
    """Class name -> image files, both sorted; a class may keep its files in a folder of their own below it."""
    classes = sorted(entry for entry in split.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    images = {
        entry.name: tuple(sorted(file for file in entry.rglob("*") if file.suffix.lower() in SUFFIXES))
        for entry in classes
    }
    if not images:
        raise InputError(f"{split}: expected one folder per class in it, but there is none")
    empty = [name for name, files in images.items() if not files]
    if empty:
        raise InputError(f"{split / empty[0]}: no images; expected files ending in {', '.join(SUFFIXES)}")
    return images


def _list(classes: dict[str, tuple[Path, ...]], names: tuple[str, ...]) -> tuple[tuple[Path, ...], tuple[int, ...]]:
    pairs = [(file, names.index(name)) for name, files in classes.items() for file in files]
    return tuple(file for file, _ in pairs), tuple(label for _, label in pairs)


def _center_box(width: int, height: int) -> tuple[float, float, float, float]:
    side = min(width, height) / SHORT_SIDE
    return ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)


def _random_box(width: int, height: int, source: np.random.Generator) -> tuple[float, float, float, float]:
    """A crop of random area and aspect ratio (Szegedy et al., Going Deeper with Convolutions, section 6)."""
    area = width * height * source.uniform(LEAST_AREA, 1)
    ratio = np.exp(source.uniform(np.log(3 / 4), np.log(4 / 3)))
    wide, high = min(width, (area * ratio) ** 0.5), min(height, (area / ratio) ** 0.5)
    left, top = source.uniform(0, width - wide), source.uniform(0, height - high)
    return (left, top, left + wide, top + high)
