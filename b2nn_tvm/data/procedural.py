"""Shapes x textures: a built-in set of drawn images, for which nothing needs to be downloaded.

Each image shows one of five shapes, filled with one of four textures: 20 classes. The place, the size, the direction
and the hues of the shape are random. Blotches, bars and spots lie behind it and noise lies over it, so that single
pixels tell little about the class.

The pixels are the same on every machine: they are made from random numbers whose stream numpy has frozen, by sums,
products, quotients and square roots alone, which IEEE 754 rounds alike everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from b2nn_tvm.data.bundle import DataBundle
from b2nn_tvm.data.pixels import PixelImages
from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess import Preprocess

SIZES = (32, 64)
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)

UNITS = 32  # the side of an image in the unit of all lengths below, whatever its size in pixels
GRID = 5  # the number of colors along each side from which the background is blended
DRAWS = 64  # random numbers per image, beside its background and its noise
BARS, SPOTS, NOISE = 2, 4, 32

Distance = Callable[..., np.ndarray]


def shapes(*, size: int = 32, images: Sequence[int] = (4000, 1000, 2000), seed: int = 0) -> DataBundle:
    """Images [3, size, size] in 20 classes; ``images`` are their numbers for training, validation and test.

    ``size`` 64 shows the scenes of size 32 in twice the resolution. Raises InputError for any other size.
    """
    if size not in SIZES:
        raise InputError(f"shapes are drawn in sizes {', '.join(map(str, SIZES))}, not {size}")
    train, val, test = (
        PixelImages(*_draw(count, size, np.random.RandomState([seed, number])), MEAN, STD)
        for number, count in enumerate(images)
    )
    return DataBundle(
        name="shapes" if size == SIZES[0] else f"shapes{size}",
        train=train,
        val=val,
        test=test,
        class_names=tuple(_CLASSES),
        input_shape=(3, size, size),
        mean=MEAN,
        std=STD,
        preprocess=Preprocess.covering((3, size, size), MEAN, STD),
    )


def _draw(count: int, size: int, source: np.random.RandomState) -> tuple[torch.Tensor, torch.Tensor]:
    labels = source.permutation(np.arange(count, dtype=np.int64) % len(_CLASSES))
    grid = source.randint(256, size=(count, 3, GRID, GRID), dtype=np.uint8).astype(np.float32)
    draws = source.random_sample((count, DRAWS)).astype(np.float32)
    pixels = np.empty((count, 3, size, size), np.uint8)
    for label, (outline, fill) in enumerate(_CLASSES.values()):
        rows = np.flatnonzero(labels == label)
        noise = np.frombuffer(source.bytes(len(rows) * 3 * size * size), np.uint8).reshape(len(rows), 3, size, size)
        scenes = _Scenes(_blotches(grid[rows], size), draws[rows])
        scenes.paint(outline, fill)
        noisy = scenes.image + (noise.astype(np.float32) * (2 * NOISE / 255) - NOISE)
        pixels[rows] = np.rint(np.clip(noisy, 0, 255))
    return torch.from_numpy(pixels), torch.from_numpy(labels)


def _blotches(grid: np.ndarray, size: int) -> np.ndarray:
    """Colors [N, 3, GRID, GRID] blended to [N, 3, size, size]; exact: all values are multiples of 2**-10 below 256."""
    place = (np.arange(size) + 0.5) * ((GRID - 1) / size)
    weights = np.maximum(1 - np.abs(place[:, None] - np.arange(GRID)), 0).astype(np.float32)
    return np.asarray(weights @ grid @ weights.T)


class _Scenes:
    """Images [N, 3, S, S] on which objects are painted, one after the other; each object takes the next ``draws``."""

    def __init__(self, image: np.ndarray, draws: np.ndarray):
        self.image = image
        self._columns = iter(np.ascontiguousarray(draws.T)[:, :, None, None])
        self._pixel = np.float32(UNITS / image.shape[-1])
        self._x = (np.arange(image.shape[-1], dtype=np.float32) + np.float32(0.5)) * self._pixel
        self._y = self._x[:, None]

    def paint(self, outline: Distance, fill: Distance) -> None:
        behind, second, inner = self._color(0, 90), self._color(60, 180), self._color(150, 255)
        self.image = behind + (self.image - 128) * np.float32(0.4)
        for _ in range(BARS):
            u, _ = self._axes(self._uniform(4, 28), self._uniform(4, 28))
            self._fill(np.abs(u) - self._uniform(0.6, 1.6), self._color(0, 256))
        for _ in range(SPOTS):
            u, v = self._x - self._uniform(0, 32), self._y - self._uniform(0, 32)
            self._fill(np.sqrt(u * u + v * v) - self._uniform(1.2, 3), self._color(0, 256))
        left, top, radius = self._uniform(11, 21), self._uniform(11, 21), self._uniform(7, 11)
        inside = self._coverage(outline(*self._axes(left, top), radius))
        period = self._uniform(5, 6)
        u, v = (axis / period for axis in self._axes(left, top))
        filled = inner + self._coverage(fill(u, v) * period)[:, None] * (second - inner)
        self.image += inside[:, None] * (filled - self.image)

    def _fill(self, distance: np.ndarray, color: np.ndarray) -> None:
        self.image += self._coverage(distance)[:, None] * (color - self.image)

    def _coverage(self, distance: np.ndarray) -> np.ndarray:
        """The share of each pixel that lies inside an outline, by the distance of its center from the outline."""
        return np.clip(np.float32(0.5) - distance / self._pixel, 0, 1)

    def _axes(self, left: np.ndarray, top: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates of all pixels around a point, turned at random."""
        cosine, sine = self._uniform(-1, 1), self._uniform(-1, 1)
        length = np.sqrt(cosine * cosine + sine * sine)
        cosine, sine = cosine / length, sine / length
        x, y = self._x - left, self._y - top
        return x * cosine + y * sine, y * cosine - x * sine

    def _uniform(self, low: float, high: float) -> np.ndarray:
        return np.asarray(np.float32(low) + np.float32(high - low) * next(self._columns))

    def _color(self, low: float, high: float) -> np.ndarray:
        return np.stack([self._uniform(low, high) for _ in range(3)], axis=1)


# Outlines: the signed distance of points from an outline, in units. It is below 0 inside.


def _disc(u: np.ndarray, v: np.ndarray, radius: np.ndarray | np.float32) -> np.ndarray:
    return np.asarray(np.sqrt(u * u + v * v) - radius)


def _square(u: np.ndarray, v: np.ndarray, radius: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(np.abs(u), np.abs(v)) - radius * np.float32(0.9))


def _triangle(u: np.ndarray, v: np.ndarray, radius: np.ndarray) -> np.ndarray:
    half_sqrt_3 = np.float32(0.8660254)
    return np.asarray(np.maximum(v, np.abs(u) * half_sqrt_3 - v / 2) - radius * np.float32(0.65))


def _ring(u: np.ndarray, v: np.ndarray, radius: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(_disc(u, v, radius * np.float32(0.75))) - radius * np.float32(0.25))


def _cross(u: np.ndarray, v: np.ndarray, radius: np.ndarray) -> np.ndarray:
    u, v, arm = np.abs(u), np.abs(v), radius * np.float32(0.35)
    return np.asarray(np.minimum(np.maximum(u - radius, v - arm), np.maximum(u - arm, v - radius)))


# Textures: the signed distance of points from the area of the second color, in periods. It is below 0 inside.


def _plain(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.ones_like(u)


def _stripes(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(_around_zero(u)) - np.float32(0.25))


def _checks(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    rows, columns = _stripes(u, v), _stripes(v, u)
    either, both = np.minimum(rows, columns), np.maximum(rows, columns)
    return np.asarray(np.maximum(either, -both))  # inside the stripes of one direction, but not of both


def _dots(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return _disc(_around_zero(u), _around_zero(v), np.float32(0.32))


def _around_zero(periods: np.ndarray) -> np.ndarray:
    return np.asarray(periods - np.rint(periods))


_OUTLINES = {"disc": _disc, "square": _square, "triangle": _triangle, "ring": _ring, "cross": _cross}
_FILLS = {"plain": _plain, "striped": _stripes, "checked": _checks, "dotted": _dots}
_CLASSES = {f"{fill} {outline}": (_OUTLINES[outline], _FILLS[fill]) for outline in _OUTLINES for fill in _FILLS}
