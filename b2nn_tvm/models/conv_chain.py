"""Convolutions in a row, then fully connected layers written as convolutions, so that they may become binary too.

The kernel of the first fully connected layer covers the whole image that is left (after Prabhu et al., Hybrid Binary
Networks, WACV 2018). There is no dropout: the sign of a dropped value is +1, as if the value had been seen.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from b2nn_tvm.errors import InputError
from b2nn_tvm.models.conv_block import ConvBlock
from b2nn_tvm.models.resnet import initialize


@dataclass(frozen=True)
class Stage:
    """A convolution, and the window ``pool`` of the max pooling of stride 2 behind it; 0 means no pooling."""

    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    pool: int = 0

    def out_size(self, size: int) -> int:
        """The number of rows of the result for ``size`` rows; it is less than 1 where no row is left."""
        size = (size + 2 * self.padding - self.kernel) // self.stride + 1
        return (size - self.pool) // 2 + 1 if self.pool else size


class ConvChain(nn.Sequential):
    """``stages`` as conv1, conv2, ..., then the fully connected layers and the classifier as fcN, N counting on.

    ``hidden`` are the channels of the fully connected layers before the classifier. Input
    [N, channels, image_size, image_size]; raises InputError for an image of which the stages leave nothing.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        *,
        hidden: Sequence[int],
        classes: int,
        channels: int,
        image_size: int,
        activation: str,
    ):
        super().__init__()
        size = _left_of(image_size, stages)
        if size < 1:
            smallest = next(more for more in itertools.count(image_size) if _left_of(more, stages) > 0)
            raise InputError(
                f"of {image_size}x{image_size} pixels nothing is left after {len(stages)} convolutions; "
                f"the smallest image is {smallest}x{smallest}"
            )
        for number, stage in enumerate(stages, 1):
            pool = nn.MaxPool2d(stage.pool, 2) if stage.pool else None
            block = ConvBlock(
                channels,
                stage.channels,
                stage.kernel,
                stride=stage.stride,
                padding=stage.padding,
                pool=pool,
                activation=activation,
            )
            self.add_module(f"conv{number}", block)
            channels = stage.channels
        for number, width in enumerate(hidden, len(stages) + 1):
            self.add_module(f"fc{number}", ConvBlock(channels, width, size, activation=activation))
            channels, size = width, 1
        self.add_module(f"fc{len(stages) + len(hidden) + 1}", nn.Conv2d(channels, classes, size))
        self.flatten = nn.Flatten()
        initialize(self)


def _left_of(size: int, stages: Sequence[Stage]) -> int:
    for stage in stages:
        size = stage.out_size(size)
    return size
