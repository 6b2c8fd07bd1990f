"""How pixels become the input of a network: resized, cropped, normalized, as the manifest's ``preprocess`` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from b2nn_runtime.errors import RuntimeFault
from b2nn_runtime.resample import resample

MODES = ("stretch", "shorter", "none")
CHANNELS = {"rgb": 3, "bgr": 3, "gray": 1}
INTERPOLATION = "bilinear-antialias"
UNKNOWN = "the manifest's preprocess is not understood: use a newer b2nn-runtime"


@dataclass(frozen=True)
class Preprocess:
    """The block of the manifest: ``size`` is (height, width) before the crop, ``crop`` the part in the middle."""

    mode: str
    size: tuple[int, int]
    crop: tuple[int, int]
    channels: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    baked: bool

    @classmethod
    def of(cls, block: dict[str, Any]) -> Preprocess:
        """Read the block; raises RuntimeFault for what this version does not know."""
        try:
            resize, crop = block["resize"], block["crop"] or block["resize"]
            made = cls(
                mode=resize["mode"],
                size=(resize["height"], resize["width"]),
                crop=(crop["height"], crop["width"]),
                channels=block["channels"],
                mean=tuple(map(float, block["mean"])),
                std=tuple(map(float, block["std"])),
                baked=block["baked"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RuntimeFault(f"{UNKNOWN} ({error})") from None
        known = made.mode in MODES and made.channels in CHANNELS and block.get("interpolation") == INTERPOLATION
        if not known or {len(made.mean), len(made.std)} != {CHANNELS[made.channels]}:
            raise RuntimeFault(UNKNOWN)
        return made

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape of the input that is made."""
        count = CHANNELS[self.channels]
        return (1, *self.crop, count) if self.baked else (1, count, *self.crop)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """The input: float32 [1, C, H, W], or uint8 [1, H, W, C] where the library normalizes."""
        full = self._full_size(*pixels.shape[:2])
        top, left = (round((whole - part) / 2) for whole, part in zip(full, self.crop))
        seen = resample(self._in_channels(pixels), full, top, left, self.crop)
        if self.channels == "bgr":
            seen = seen[:, :, ::-1]
        if self.baked:
            return np.ascontiguousarray(seen)[None]
        mean, std = (np.array(values, np.float32) for values in (self.mean, self.std))
        values = (seen.astype(np.float32) / np.float32(255) - mean) / std
        return np.ascontiguousarray(values.transpose(2, 0, 1))[None]

    def _full_size(self, height: int, width: int) -> tuple[int, int]:
        high, wide = self.size
        if self.mode == "none" and (height, width) != self.size:
            raise RuntimeFault(
                f"the network takes images of {wide}x{high} pixels as they are, not {width}x{height}: resize it"
            )
        if self.mode != "shorter":
            return self.size
        return (wide * height // width, wide) if width * high <= height * wide else (high, high * width // height)

    def _in_channels(self, pixels: np.ndarray) -> np.ndarray:
        if self.channels != "gray":
            return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
        if pixels.shape[2] == 1:
            return pixels
        red, green, blue = (pixels[:, :, [channel]].astype(np.uint32) for channel in range(3))
        return ((red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16).astype(np.uint8)
