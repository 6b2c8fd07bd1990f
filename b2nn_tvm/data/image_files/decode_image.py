"""Decode the image of a file as its maker saw it: upright, in 8 bits per channel, on white where it is transparent."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image, Transpose

# The endings of files that Pillow decodes. Of a GIF or TIFF with several images the first one is taken.
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".avif", ".gif", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm"),
)
_ORIENTATION = 274  # the number of this tag in EXIF 2.3, section 4.6.4
_FULL = 65535
# What damaged files make Pillow raise.
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, KeyError, TypeError, struct.error)


def decode(path: Path, mode: str) -> Image:
    """The image of a file, in one of Pillow's modes such as RGB or L; raises InputError where it cannot be read.

    It is turned as its EXIF orientation says. 16-bit grays keep their order: 0..65535 becomes 0..255.
    """
    from PIL.Image import DecompressionBombError, open

    try:
        with open(path) as file:
            file.load()
            turn = _turn(file)
            upright = file if turn is None else file.transpose(turn)
            return _flat(_eight_bits(upright, path)).convert(mode)
    except (*_DAMAGE, DecompressionBombError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: not a readable image ({reason}); replace or remove it") from None


def check(path: Path) -> None:
    """Raise InputError where ``decode`` would, in a fraction of the time for a JPEG."""
    if not _loads_as_jpeg(path):
        decode(path, "RGB")


def size_of(path: Path) -> tuple[int, int]:
    """Width and height as ``decode`` gives them, from the head of the file; raises InputError as ``decode`` does."""
    from PIL.Image import DecompressionBombError, open

    try:
        with open(path) as file:
            if file.format == "TIFF":  # Pillow turns these itself, in some versions before they are loaded
                file.load()
            lies = (file.format != "PNG" or "exif" in file.info) and _orientation(file) >= 5  # else PNG decodes it all
            width, height = file.size
    except (*_DAMAGE, DecompressionBombError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: not a readable image ({reason}); replace or remove it") from None
    return (height, width) if lies else (width, height)


def _loads_as_jpeg(path: Path) -> bool:
    """Whether the file is a JPEG that can be read: libjpeg reads all of it, but computes a small image (``draft``)."""
    from PIL.Image import DecompressionBombError, open

    try:
        with open(path) as file:
            if file.format != "JPEG":
                return False
            file.draft("L", (1, 1))
            file.load()
    except (*_DAMAGE, DecompressionBombError):
        return False  # decode says what is wrong
    return True


def _orientation(image: Image) -> int:
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except _DAMAGE:
        return 1  # damaged EXIF data says nothing of the pixels
    return orientation if orientation in range(1, 9) else 1


def _turn(image: Image) -> Transpose | None:
    """What puts the image upright: orientation 6 means that the camera was turned a quarter to the left."""
    from PIL.Image import Transpose

    turns = (
        *(None, Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM),
        *(Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90),
    )
    return turns[_orientation(image) - 1]


def _eight_bits(image: Image, path: Path) -> Image:
    """Gray of 16 bits as gray of 8: Pillow's own conversion clips, which leaves white alone."""
    from PIL.Image import fromarray

    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image)
    if values.dtype.kind == "f" or values.min() < 0 or values.max() > _FULL:
        raise InputError(
            f"{path}: its values are {values.dtype} from {values.min()} to {values.max()}, and what is white is not"
            " said; expected 8 or 16 bits per channel; convert the images"
        )
    return fromarray(((values.astype(np.uint32) * 255 + _FULL // 2) // _FULL).astype(np.uint8))


def _flat(image: Image) -> Image:
    """A transparent image on white, the color of paper: the colors under transparent pixels mean nothing."""
    from PIL.Image import alpha_composite, new

    if image.mode not in ("RGBA", "LA", "PA", "RGBa", "La") and "transparency" not in image.info:
        return image
    image = image.convert("RGBA")
    return alpha_composite(new("RGBA", image.size, (255, 255, 255, 255)), image)
