"""What is done at random to the training images of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from b2nn_tvm.data.augment.rand_augment import rand_augment
from b2nn_tvm.data.augment.random_resized import random_resized
from b2nn_tvm.data.augment.shift_and_flip import shift_and_flip
from b2nn_tvm.errors import InputError

SHIFT = 8  # images move by up to an eighth of their side: CIFAR's usual 4 pixels of 32
LEAST_AREA = 0.35  # the usual 0.08 is for far longer trainings
OPERATIONS, MAGNITUDE = 2, 9  # RandAugment's own for CIFAR and ImageNet are 1 to 3, and 5 to 28


@dataclass(frozen=True)
class Augmentation:
    """First random crops, then RandAugment's operations; without arguments nothing is done.

    With ``least_area`` < 1 a crop of at least this share of each image is resized to the image's size; else, with
    ``shift`` > 0, each image moves by up to ``shift`` pixels, mirrored at the border. Both flip half of the images.
    Then so many ``operations`` of the strength ``magnitude``, 0 to 30, are drawn for each image.
    """

    shift: int = 0
    least_area: float = 1.0
    operations: int = 0
    magnitude: int = MAGNITUDE

    @classmethod
    def moving(cls, height: int, width: int) -> Augmentation:
        """Images of this size move by up to an eighth of their shorter side and are flipped."""
        return cls(shift=max(1, min(height, width) // SHIFT))

    def __bool__(self) -> bool:
        return self.shift > 0 or self.least_area < 1 or self.operations > 0

    def __call__(self, images: torch.Tensor, source: np.random.Generator, *, cropped: bool = False) -> torch.Tensor:
        """The augmented images of a batch [N, C, H, W], of the same type and on the same device.

        ``cropped`` says that random crops were made already, of the files. Raises InputError where RandAugment is given
        other values than bytes.
        """
        if not cropped and self.least_area < 1:
            images = random_resized(images, self.least_area, source)
        elif not cropped and self.shift:
            images = shift_and_flip(images, self.shift, source)
        if not self.operations:
            return images
        if images.dtype != torch.uint8:
            raise InputError("RandAugment needs images of bytes, 0 to 255: take another augmentation, or such images")
        return rand_augment(images, self.operations, self.magnitude, source)


AS_THEY_ARE = Augmentation()
