"""Square crops around a target, with context, as SiamFC cuts them (Bertinetto et al., section 2.4).

A box is (x, y, width, height) in pixels, x and y being its left and upper edge. With p = (width + height) / 4 on every
side, the square of the exemplar has the area (width + 2p) (height + 2p).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageStat

from b2nn_tvm.data.folder_images import MEAN, STD
from b2nn_tvm.errors import InputError

# The largest side of a crop, in longer sides of its image: a larger crop shows no target and takes too much memory.
LARGEST = 64


def context_side(size: Sequence[float] | np.ndarray) -> float:
    """The side in pixels of the square that shows a target of the ``size`` (width, height) with its context."""
    width, height = (float(each) for each in size)
    padding = (width + height) / 2
    return math.sqrt((width + padding) * (height + padding))


def center_of(box: np.ndarray) -> np.ndarray:
    """The middle (x, y) of a box."""
    return box[:2] + box[2:] / 2


def crop(image: Image.Image, center: Sequence[float] | np.ndarray, side: float, pixels: int) -> np.ndarray:
    """The square of this ``side`` around ``center``, resampled to uint8 [pixels, pixels, 3].

    Pixels outside of the image get its mean color. Raises InputError where the square is empty or absurdly large.
    """
    left, top = float(center[0]) - side / 2, float(center[1]) - side / 2
    if not (math.isfinite(left) and math.isfinite(top) and 0 < side <= LARGEST * max(image.size)):
        raise InputError(
            f"a crop with a side of {side:g} pixels around ({center[0]:g}, {center[1]:g}) does not fit an image of "
            f"{image.width}x{image.height}; check the boxes"
        )
    x, y = math.floor(left), math.floor(top)
    canvas_size = (math.ceil(left + side) - x, math.ceil(top + side) - y)
    canvas = Image.new("RGB", canvas_size, tuple(round(mean) for mean in ImageStat.Stat(image).mean))
    seen = (max(x, 0), max(y, 0), min(x + canvas_size[0], image.width), min(y + canvas_size[1], image.height))
    if seen[0] < seen[2] and seen[1] < seen[3]:
        canvas.paste(image.crop(seen), (seen[0] - x, seen[1] - y))
    box = (left - x, top - y, left - x + side, top - y + side)
    return np.asarray(canvas.resize((pixels, pixels), Image.Resampling.BILINEAR, box=box))


def normalized(crops: np.ndarray) -> np.ndarray:
    """Crops uint8 [N, H, W, 3] as a network's input, float32 [N, 3, H, W]."""
    scaled = (crops / np.float32(255) - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
