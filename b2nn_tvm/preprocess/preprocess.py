"""How a picture becomes the input of a network: resized, cropped, its channels put in order, normalized.

    uint8 [H0, W0, 3]  ->  resize  ->  crop  ->  uint8 [H, W, C]  ->  (v / 255 - mean) / std  ->  float32 [1, C, H, W]

This is the one definition. Training evaluates by it, and the board, which reads it in manifest.json, gets the same
numbers of the same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

MODES = ("stretch", "shorter", "none")
CHANNELS = {"rgb": 3, "bgr": 3, "gray": 1}
LARGEST_SIDE = 1 << 16
INPUT = "input"  # as exported networks call it


@dataclass(frozen=True)
class Resize:
    """The size of a picture before it is cropped.

    "stretch" is to ``height`` x ``width``; "shorter" to the smallest size that covers ``height`` x ``width`` and keeps
    the picture's ratio: where these are equal, its shorter side becomes so long; with "none" it must have this size.
    """

    mode: str
    height: int
    width: int

    def size_of(self, height: int, width: int) -> tuple[int, int]:
        """Height and width that a picture of ``height`` x ``width`` is resized to.

        Raises InputError where it has to have another size already (mode "none").
        """
        if self.mode == "none" and (height, width) != (self.height, self.width):
            raise InputError(f"expected a picture of {self.width}x{self.height} pixels, but it has {width}x{height}")
        if self.mode != "shorter":
            return self.height, self.width
        if width * self.height <= height * self.width:
            return self.width * height // width, self.width
        return self.height, self.height * width // height


@dataclass(frozen=True)
class Preprocess:
    """What is done to a picture before the network's input ``input`` has it.

    ``crop`` is (height, width) of the part in the middle, None for the whole. ``channels`` is "rgb", "bgr" or "gray";
    ``mean`` and ``std`` have a number for each of them, in this order, for values v / 255. Where ``baked``, the network
    itself normalizes: its input is the pixels, uint8 [1, H, W, C]. Raises InputError for what contradicts itself.
    """

    resize: Resize
    crop: tuple[int, int] | None
    channels: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    input: str = INPUT
    baked: bool = False

    def __post_init__(self) -> None:
        if self.channels not in CHANNELS or self.resize.mode not in MODES:
            raise InputError(
                f"preprocess: expected channels of {', '.join(CHANNELS)} and resizing by {', '.join(MODES)}, but they"
                f" are {self.channels!r} and {self.resize.mode!r}"
            )
        if (len(self.mean), len(self.std)) != (CHANNELS[self.channels],) * 2:
            raise InputError(
                f"preprocess: expected a mean and a deviation for each of the {CHANNELS[self.channels]} channels, but"
                f" there are {len(self.mean)} and {len(self.std)}"
            )
        if not all(map(isfinite, (*self.mean, *self.std))) or not np.array(self.std, np.float32).all():
            raise InputError("preprocess: expected finite numbers for mean and deviation, and no deviation of 0")
        sides = (self.resize.height, self.resize.width)
        if not all(1 <= side <= limit for side, limit in zip((*sides, *self.size), (LARGEST_SIDE,) * 2 + sides)):
            raise InputError(
                f"preprocess: expected sizes from 1 to {LARGEST_SIDE} and a crop no larger than what is cropped, but"
                f" they are {sides[1]}x{sides[0]} and {self.size[1]}x{self.size[0]}"
            )
        if self.resize.mode == "shorter" and self.crop is None:
            raise InputError("preprocess: a picture that keeps its ratio must be cropped to the size of the input")

    @classmethod
    def covering(cls, shape: Sequence[int], mean: Sequence[float], std: Sequence[float]) -> Preprocess:
        """The middle of a picture, as large as the ratio of ``shape``, which is (C, H, W), allows: in color or gray."""
        channels, height, width = shape
        if channels not in (1, 3):
            raise InputError(f"preprocess: expected pictures of 3 channels, or of 1 for gray, but they have {channels}")
        return cls(
            resize=Resize("shorter", height, width),
            crop=(height, width),
            channels="rgb" if channels == 3 else "gray",
            mean=tuple(map(float, mean)),
            std=tuple(map(float, std)),
        )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        return self.crop or (self.resize.height, self.resize.width)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape of the network's input: (1, C, H, W), or (1, H, W, C) where it is the pixels."""
        height, width = self.size
        count = CHANNELS[self.channels]
        return (1, height, width, count) if self.baked else (1, count, height, width)

    @property
    def mode(self) -> str:
        """Pillow's name of the channels before they are put in order."""
        return "L" if self.channels == "gray" else "RGB"

    def resized(self, picture: Image) -> Image:
        """An upright picture in the size that is cropped, as b2nn_tvm/reference/resample.py defines it.

        A picture of this size stays as it is. Raises InputError for one that has a wrong size.
        """
        from PIL.Image import Resampling

        width, height = picture.size
        high, wide = self.resize.size_of(height, width)
        along_rows = picture.convert(self.mode).resize((wide, height), Resampling.BILINEAR)
        return along_rows.resize((wide, high), Resampling.BILINEAR)  # apart: Pillow's own order varies

    def pixels(self, picture: Image) -> np.ndarray:
        """The pixels of the network's input, uint8 [H, W, C], of an upright picture; raises InputError as ``resized``
        does.
        """
        whole = np.asarray(self.resized(picture))
        top, left = (crop_offset(*lengths) for lengths in zip(whole.shape[:2], self.size, strict=True))
        cropped = whole[top : top + self.size[0], left : left + self.size[1]]
        ordered = cropped.reshape(*self.size, CHANNELS[self.channels])
        return np.ascontiguousarray(ordered[:, :, ::-1] if self.channels == "bgr" else ordered)

    def normalized(self, pixels: np.ndarray) -> np.ndarray:
        """float32 [..., C, H, W] of pixels, uint8 [..., H, W, C]: three operations in float32, each rounded."""
        mean, std = (np.array(values, np.float32) for values in (self.mean, self.std))
        values = (pixels.astype(np.float32) / np.float32(255) - mean) / std
        return np.ascontiguousarray(np.moveaxis(values, -1, -3))

    def denormalized(self, values: np.ndarray) -> np.ndarray:
        """The pixels nearest to normalized values: the inverse of ``normalized``, for values that came from pixels."""
        mean, std = (np.array(numbers, np.float64) for numbers in (self.mean, self.std))
        levels = (np.moveaxis(values.astype(np.float64), -3, -1) * std + mean) * 255
        return np.ascontiguousarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8))

    def __call__(self, picture: Image) -> np.ndarray:
        """The network's input of an upright picture, of ``shape``: float32, or uint8 where the network normalizes."""
        pixels = self.pixels(picture)
        return pixels[None] if self.baked else self.normalized(pixels)[None]


def crop_offset(whole: int, part: int) -> int:
    """Where the middle part begins: half of the difference, halves to the even number, as torchvision's CenterCrop."""
    return round((whole - part) / 2)
