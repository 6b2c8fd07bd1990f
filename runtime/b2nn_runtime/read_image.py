"""Paths, images of Pillow and arrays as pixels: uint8 [H, W, 3] in red, green, blue, or [H, W, 1] for gray."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from b2nn_runtime.errors import RuntimeFault

if TYPE_CHECKING:
    from PIL.Image import Image

_HEAD = re.compile(rb"P([56])(?:\s|#[^\r\n]*[\r\n])+(\d+)(?:\s|#[^\r\n]*[\r\n])+(\d+)(?:\s|#[^\r\n]*[\r\n])+(\d+)\s")


def pixels_of(image: Any) -> np.ndarray:
    """The pixels of a path, of an image of Pillow, or of an array; raises RuntimeFault for anything else."""
    if isinstance(image, (str, os.PathLike)):
        return _read(Path(image))
    if isinstance(image, np.ndarray):
        return _checked(image)
    if hasattr(image, "getexif"):
        return _from_pillow(image)
    raise RuntimeFault(f"expected a path, an image of Pillow or an array of uint8, but got {type(image).__name__}")


def _checked(array: np.ndarray) -> np.ndarray:
    pixels = array[:, :, None] if array.ndim == 2 else array
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
        raise RuntimeFault(
            "expected pixels as uint8 [height, width, 3] (red, green, blue) or [height, width], but got"
            f" {array.dtype} {list(array.shape)}"
        )
    return pixels


def _read(path: Path) -> np.ndarray:
    if path.is_dir():
        raise RuntimeFault(f"{path}: expected an image, but this is a folder; give the files in it")
    try:
        from PIL import Image
    except ImportError:
        return _read_pnm(path)
    try:
        with Image.open(path) as image:
            image.load()
            return _from_pillow(image)
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise RuntimeFault(f"{path}: not a readable image ({error})") from None


def _read_pnm(path: Path) -> np.ndarray:
    """A binary PPM or PGM file of 8 bits, which need no package."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RuntimeFault(f"{path}: cannot read this file: {error.strerror}") from None
    head = _HEAD.match(content)
    if head is None or int(head[4]) != 255:
        raise RuntimeFault(
            f"{path}: without Pillow only binary PPM and PGM files of 8 bits are read; get it with: pip install pillow"
        )
    shape = (int(head[3]), int(head[2]), 3 if head[1] == b"6" else 1)
    count = shape[0] * shape[1] * shape[2]
    values = np.frombuffer(content, np.uint8, offset=head.end())[:count]
    if values.size != count or not count:
        raise RuntimeFault(f"{path}: this file ends early: copy it again")
    return values.reshape(shape)


def _from_pillow(image: Image) -> np.ndarray:
    """Upright, in 8 bits, on white where it is transparent."""
    from PIL import Image as Images
    from PIL import ImageOps

    try:
        upright = ImageOps.exif_transpose(image)
    except (OSError, ValueError, SyntaxError, TypeError, KeyError):
        upright = image  # damaged EXIF data says nothing of the pixels
    if upright.mode.startswith("I"):  # gray of 16 bits
        values = np.asarray(upright).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise RuntimeFault(f"expected 8 or 16 bits per channel, but the values go to {values.max()}; convert it")
        return ((values * 255 + 32767) // 65535).astype(np.uint8)[:, :, None]
    if upright.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in upright.info:
        color = upright.convert("RGBA")
        upright = Images.alpha_composite(Images.new("RGBA", color.size, (255, 255, 255, 255)), color)
    gray = upright.mode in ("1", "L")
    return _checked(np.asarray(upright.convert("L" if gray else "RGB")))
