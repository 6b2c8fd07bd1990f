"""What tests of whole searches have in common: a small network, real digits, little effort, and what is on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from b2nn_tvm import data
from b2nn_tvm.models.bireal import BiRealNet

FOUR_LAYERS = (8, 16)
QUICK = {"float_epochs": 1, "epochs": 1, "masks": 1}


def few_digits(*, test: int | None = None) -> data.DataBundle:
    """256 images to train on, 64 to validate on; all of the test set, or so many of it."""
    bundle = data.digits()
    first = lambda split, count: data.TensorImages(split.images[:count], split.labels[:count])
    return replace(bundle, train=first(bundle.train, 256), val=first(bundle.val, 64), test=first(bundle.test, test))


def network(*, classes: int = 10, image_size: int = 32, widths: tuple[int, ...] = (16, 32, 64)) -> torch.nn.Module:
    """C-ResNet with one block to a stage: all that the loop needs, at a third of the time."""
    torch.manual_seed(0)
    return BiRealNet(
        classes=classes, channels=3, image_size=image_size, stem="cifar", widths=widths, blocks=1, activation="binrelu"
    )


def stamps(folder: Path) -> dict[str, int]:
    """When the phases of a search were finished."""
    state = folder / "state"
    return {str(path.parent.relative_to(state)): path.stat().st_mtime_ns for path in state.rglob("phase.json")}
