"""Networks, data sets and images with a fault that a search would meet only after minutes, and what it says of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

MODULE = """
import torch
from torch import nn
from b2nn_tvm import data


class Net(nn.Sequential):
    def __init__(self, classes, width=4):
        super().__init__(
            nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes),
        )


def make_net(classes):
    return Net(classes)


def two_scores():
    return Net(2)


def broken(classes):
    return Net(classes, width="four")


class Nested(Net):
    def forward(self, images):
        return {"scores": {"boxes": super().forward(images)[:, :, None]}}


def nested(classes):
    return Nested(classes)


class NotInTraining(Net):
    def forward(self, images):
        scores = super().forward(images)
        if self.training and not hasattr(scores, "fake_mode"):
            raise ValueError("no mask was given")
        return scores


def not_in_training(classes):
    return NotInTraining(classes)


def frozen(classes):
    return Net(classes).requires_grad_(False)


class Images:
    augmented, digest = False, "mine"

    def __init__(self, label=0, fails=False):
        self.label, self.fails = label, fails

    def __len__(self):
        return 12

    def __getitem__(self, index):
        if self.fails:
            raise KeyError("photo 7 has no row")
        return torch.zeros(len(index.images), 3, 16, 16), torch.full((len(index.images),), self.label)


def bundle(**options):
    good = Images()
    return data.DataBundle("mine", Images(**options), good, good, ("a", "b", "c"), (3, 16, 16), (0,), (1,))


def unreadable():
    return bundle(fails=True)


def labels_from_one():
    return bundle(label=3)


def no_bundle():
    return bundle(wrong=1)
"""


def write_inputs(folder: Path, module: str = "nets") -> Path:
    """``module``.py with the factories above, and pets/ with images of three classes; returns the folder of images."""
    (folder / f"{module}.py").write_text(MODULE, encoding="utf-8")
    source = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in ("cat", "dog", "owl"):
            (folder / "pets" / split / name).mkdir(parents=True)
            for number in range(3):
                image = Image.fromarray(source.integers(0, 255, (16, 16, 3), np.uint8))
                image.save(folder / "pets" / split / name / f"{number}.png")
    return folder / "pets"
