"""A small part of the digits at 8x8 pixels, a net of three convolutions to train on it, and who listens meanwhile."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm import data as datasets
from b2nn_tvm.data import DataBundle, TensorImages


def few_digits() -> DataBundle:
    """320 images to train on, 100 to validate, 100 to test."""
    whole = datasets.digits()
    small = lambda split, count: TensorImages(F.avg_pool2d(split.images, 4)[:count], split.labels[:count])
    return replace(
        whole,
        train=small(whole.train, 320),
        val=small(whole.val, 100),
        test=small(whole.test, 100),
        input_shape=(3, 8, 8),
        preprocess=None,
    )


def network(seed=0):
    torch.manual_seed(seed)
    block = lambda inputs, outputs: (
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
    return nn.Sequential(
        *block(3, 16),
        *block(16, 16),
        *block(16, 16),
        nn.Dropout(0.1),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def same(one, other):
    left, right = one.state_dict(), other.state_dict()
    return list(left) == list(right) and all(torch.equal(left[name], right[name]) for name in left)


class StopAfter(Exception):
    pass


def stop_after(steps):
    def report(phase, done, total):
        if done == steps:
            raise StopAfter

    return report


class Told:
    """All that a training says."""

    def __init__(self):
        self.steps, self.epochs, self.phases, self.total = [], [], set(), 0

    def __call__(self, phase, done, total, detail):
        self.phases.add(phase)
        self.total = total
        if done not in self.steps[-1:]:  # the last epoch is told after the last step
            self.steps.append(done)
        if "accuracy" in detail:
            self.epochs.append(detail)
