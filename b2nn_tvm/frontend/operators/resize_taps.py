"""Which pixels Resize reads along one axis, and by what weights: for each mode of interpolation and of coordinates.

Coordinates are computed in float32, as onnxruntime does it, because they decide between two pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from b2nn_tvm.errors import InputError, UnsupportedError

f32 = np.float32
_WHOLE = 1e-5  # the rounding of a scale in float32
_ROUNDING = f32(1e-4)  # what coordinates of images may be off by


@dataclass(frozen=True)
class ResizeMode:
    """The attributes of Resize, with ONNX's names and defaults."""

    mode: str = "nearest"
    coordinates: str = "half_pixel"
    nearest: str = "round_prefer_floor"
    cubic: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False


@dataclass(frozen=True)
class Taps:
    """Along one axis, pixel y of the result is the sum over k of ``weights[y, k]`` times pixel ``indices[y, k]``.

    Where ``outside`` is true, it is the extrapolation value instead.
    """

    indices: np.ndarray
    weights: np.ndarray
    outside: np.ndarray

    def is_copy(self, size: int) -> bool:
        """Whether the axis of this size stays as it is."""
        return self.selects and not self.outside.any() and np.array_equal(self.indices[:, 0], np.arange(size))

    @property
    def selects(self) -> bool:
        """Whether each pixel is one of the image's."""
        return self.indices.shape[1] == 1 and bool((self.weights == 1).all())


def resize_taps(how: ResizeMode, size: int, out: int, scale: float, roi: tuple[float, float] = (0, 1)) -> Taps:
    """The taps along an axis of ``size`` pixels that becomes one of ``out`` pixels, ``scale`` times as long.

    ``roi`` are the ends of the region for tf_crop_and_resize. Raises InputError or UnsupportedError for modes that are
    unknown.
    """
    if how.antialias and how.mode != "nearest" and not (how.mode == "linear" and scale >= 1):
        raise UnsupportedError(
            "ONNX's definition and onnxruntime disagree about antialias at the border; export it with antialias=False"
        )
    x = _coordinates(how.coordinates, size, out, f32(scale), roi)
    outside = (x < 0) | (x > size - 1) if how.coordinates == "tf_crop_and_resize" else np.zeros(out, bool)
    if how.mode == "nearest":
        pick = _ROUNDINGS.get(how.nearest, _unknown)
        if how.coordinates == "half_pixel_symmetric" and (pick(x - _ROUNDING) != pick(x + _ROUNDING)).any():
            raise UnsupportedError(
                "with half_pixel_symmetric, rounding decides which of two pixels is the nearest one; export it with "
                "half_pixel or asymmetric"
            )
        chosen = np.clip(pick(x), 0, size - 1).astype(np.int64)
        return Taps(chosen[:, None], np.ones((out, 1), f32), outside)
    if how.mode not in _FILTERS:
        raise InputError(f"its mode is nearest, linear or cubic, not {how.mode!r}")
    return _interpolated(how, x, size, outside)


def _coordinates(mode: str, size: int, out: int, scale: np.float32, roi: tuple[float, float]) -> np.ndarray:
    """The place in the image of each pixel of the result."""
    y, half = np.arange(out, dtype=f32), f32(0.5)
    if mode == "asymmetric":
        return y / scale
    if mode == "half_pixel" or (mode == "pytorch_half_pixel" and out > 1):
        return (y + half) / scale - half
    if mode == "pytorch_half_pixel" or (mode == "align_corners" and out == 1):
        return np.zeros(out, f32)
    if mode == "align_corners":
        if abs(float(scale) * size - out) > _WHOLE * out:
            raise UnsupportedError(
                f"ONNX's definition and onnxruntime disagree about align_corners with a scale of {scale:g} along an"
                f" axis of {size}, which makes no whole number of pixels; give sizes in place of scales"
            )
        return y * f32(size - 1) / f32(out - 1)
    if mode == "tf_half_pixel_for_nn":
        return (y + half) / scale
    if mode == "half_pixel_symmetric":
        adjustment = f32(out) / (scale * f32(size))
        return f32(size) / 2 * (1 - adjustment) + (y + half) / scale - half
    if mode == "tf_crop_and_resize":
        start, end = map(f32, roi)
        if scale == 1 and roi != (0, 1):
            raise UnsupportedError(
                "ONNX's definition and onnxruntime disagree about tf_crop_and_resize along an axis of scale 1; cut the "
                "region out with Slice"
            )
        if out == 1:
            return np.full(1, half * (start + end) * f32(size - 1), f32)
        return start * f32(size - 1) + y * (end - start) * f32(size - 1) / f32(out - 1)
    raise UnsupportedError(f"its coordinate_transformation_mode {mode!r} is none of those that ONNX defines")


def _interpolated(how: ResizeMode, x: np.ndarray, size: int, outside: np.ndarray) -> Taps:
    """The taps of a filter; what they would read beyond the border is the border's pixel, or with exclude_outside
    nothing.
    """
    reach, weigh = _FILTERS[how.mode]
    if how.mode == "linear":
        x = np.clip(x, 0, size - 1)
    first = np.floor(x).astype(np.int64) - reach + 1
    places = first[:, None] + np.arange(2 * reach)
    weights = weigh(places - x.astype(np.float64)[:, None], how.cubic)
    if how.exclude_outside and how.mode == "cubic":
        weights = np.where((places < 0) | (places >= size), 0, weights)
        weights /= weights.sum(axis=1, keepdims=True)
    used = (weights != 0).any(axis=0)
    indices = np.clip(places, 0, size - 1)
    return Taps(indices[:, used], weights[:, used].astype(f32), outside)


def _linear(distance: np.ndarray, _cubic: float) -> np.ndarray:
    return np.asarray(np.maximum(0, 1 - np.abs(distance)))


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Keys, "Cubic convolution interpolation for digital image processing", 1981."""
    d = np.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.asarray(np.where(d <= 1, near, np.where(d < 2, far, 0)))


def _round_prefer_ceil(x: np.ndarray) -> np.ndarray:
    return np.floor(x + f32(0.5))


def _round_prefer_floor(x: np.ndarray) -> np.ndarray:
    return np.ceil(x - f32(0.5))


def _unknown(x: np.ndarray) -> np.ndarray:
    raise InputError("its nearest_mode is round_prefer_floor, round_prefer_ceil, floor or ceil")


_ROUNDINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "round_prefer_floor": _round_prefer_floor,
    "round_prefer_ceil": _round_prefer_ceil,
    "floor": np.floor,
    "ceil": np.ceil,
}
_FILTERS = {"linear": (1, _linear), "cubic": (2, _cubic)}
