"""Files of CIFAR as Python 2 wrote them."""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path
from typing import Any, ClassVar

import numpy as np


class Python2Pickler(pickle._Pickler):
    """Writes text and bytes alike as the byte strings of Python 2."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_string(self, value: str | bytes) -> None:
        raw = value if isinstance(value, bytes) else value.encode("latin1")
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)

    dispatch[str] = dispatch[bytes] = save_string


def python2_pickle(value: Any) -> bytes:
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(value)
    return file.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def batch(count: int, classes: int, labels: str, seed: int) -> dict[str, Any]:
    source = np.random.default_rng(seed)
    return {
        "data": source.integers(0, 256, (count, 3072), dtype=np.uint8),
        labels: [number % classes for number in range(count)],
        "filenames": [f"image_{number}.png" for number in range(count)],
        "batch_label": "a batch",
    }


def cifar100() -> dict[str, Any]:
    names = {"fine_label_names": [f"fine {n}" for n in range(100)], "coarse_label_names": ["coarse"] * 20}
    test, train = (batch(count, 100, "fine_labels", count) | {"coarse_labels": [0] * count} for count in (100, 200))
    return {"meta": names, "test": test, "train": train}


def cifar10() -> dict[str, Any]:
    names = {"label_names": [f"class {n}" for n in range(10)], "num_vis": 3072, "num_cases_per_batch": 10}
    batches = {f"data_batch_{number}": batch(20, 10, "labels", number) for number in range(1, 6)}
    return {"batches.meta": names, "test_batch": batch(30, 10, "labels", 9), **batches}


def write(folder: Path, content: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, value in content.items():
        (folder / name).write_bytes(python2_pickle(value))
    return folder
