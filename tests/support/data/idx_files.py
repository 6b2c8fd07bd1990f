"""Write IDX files as MNIST's distributors do."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np


def write_idx(path: Path, array: np.ndarray) -> Path:
    """One file of bytes, gzipped where its name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
    return path


def digits(count: int, *, classes: int = 10, first: int = 0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [count, 28, 28], whose upper left pixel is the label, and labels from ``first`` on."""
    images = np.random.default_rng(seed).integers(0, 256, (count, 28, 28), np.uint8)
    labels = (first + np.arange(count) % classes).astype(np.uint8)
    images[:, 0, 0] = labels
    return images, labels


def write_set(
    folder: Path,
    *,
    prefix: str = "",
    test: str = "t10k",
    end: str = "-idx{}-ubyte.gz",
    classes: int = 10,
    first: int = 0,
) -> Path:
    """40 training and 20 test images."""
    for split, count in (("train", 40), (test, 20)):
        images, labels = digits(count, classes=classes, first=first, seed=count)
        write_idx(folder / f"{prefix}{split}-images{end.format(3)}", images)
        write_idx(folder / f"{prefix}{split}-labels{end.format(1)}", labels)
    return folder
