"""Photos for tests, drawn: smooth shapes with some noise, in every form of file that boards read."""

from __future__ import annotations

import numpy as np
from PIL import Image


def scene(height: int, width: int, *, seed: int = 0, channels: int = 3) -> np.ndarray:
    """Pixels uint8 [H, W, channels] of soft waves and a little noise, as photos have them."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [
        np.sin(y * draw.uniform(0.02, 0.3) + x * draw.uniform(0.02, 0.3) + draw.uniform(0, 6)) for _ in range(channels)
    ]
    values = 127 + 90 * np.stack(waves, axis=-1) + draw.normal(0, 4, (height, width, channels))
    return np.clip(values, 0, 255).astype(np.uint8)


def picture(height: int, width: int, *, seed: int = 0) -> Image.Image:
    return Image.fromarray(scene(height, width, seed=seed))
