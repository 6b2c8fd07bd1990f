"""Data for tests of studies: a few digits of 8x8 pixels, as pkg.module:factory."""

from __future__ import annotations

from dataclasses import replace

from torch.nn import functional as F

from b2nn_tvm import data
from b2nn_tvm.data import DataBundle, TensorImages

NAME = "tests.support.study.few_digits:few_digits"


def few_digits() -> DataBundle:
    """96 / 48 / 64 images [3, 8, 8]."""
    bundle = data.digits()
    small = lambda split, count: TensorImages(F.avg_pool2d(split.images[:count], 4), split.labels[:count])
    parts = {"train": small(bundle.train, 96), "val": small(bundle.val, 48), "test": small(bundle.test, 64)}
    return replace(bundle, input_shape=(3, 8, 8), preprocess=None, **parts)


FEWER = "tests.support.study.few_digits:few_gray_digits"


def few_gray_digits() -> DataBundle:
    """The same digits as images [1, 8, 8], another data set."""
    bundle = few_digits()
    gray = lambda split: TensorImages(split.images[:, :1], split.labels)
    parts = {name: gray(getattr(bundle, name)) for name in ("train", "val", "test")}
    return replace(bundle, input_shape=(1, 8, 8), **parts)
