"""Files of images become the pixels that the training's loader makes of them."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from b2nn_tvm.data.image_files.decode_image import decode
from tests.support.deploy.photos import picture, scene


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def loaded(folder: Path, content: bytes, mode: str = "RGB") -> np.ndarray:
    """What the training's loader makes of this file."""
    (folder / "file").write_bytes(content)
    return np.asarray(decode(folder / "file", mode)).reshape(*decode(folder / "file", mode).size[::-1], -1)


def as_color(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def with_alpha(mode: str) -> Image.Image:
    image = picture(31, 45).convert(mode[:-1])
    image.putalpha(Image.fromarray(scene(31, 45, seed=9, channels=1)[..., 0]))
    return image


def with_palette(transparent: bool) -> bytes:
    image = picture(31, 45).quantize(16)
    return encoded(image, "PNG", **({"transparency": bytes(range(0, 256, 17))} if transparent else {}))


PNGS = {
    "color": lambda: encoded(picture(31, 45), "PNG"),
    "gray": lambda: encoded(picture(31, 45).convert("L"), "PNG"),
    "one bit": lambda: encoded(picture(31, 45).convert("1"), "PNG"),
    "color and alpha": lambda: encoded(with_alpha("RGBA"), "PNG"),
    "gray and alpha": lambda: encoded(with_alpha("LA"), "PNG"),
    "palette": lambda: with_palette(False),
    "palette and alpha": lambda: with_palette(True),
    "gray of 16 bits": lambda: encoded(
        Image.fromarray(np.random.default_rng(0).integers(0, 65536, (31, 45)).astype(np.uint16)), "PNG"
    ),
    "a color is transparent": lambda: encoded(
        Image.fromarray(scene(31, 45) // 64 * 64), "PNG", transparency=(64, 128, 64)
    ),
}


@pytest.mark.parametrize("kind", PNGS)
def test_png_files_are_the_same_bytes(parts, tmp_path, kind):
    content = PNGS[kind]()
    got, gray = parts.decode(content), loaded(tmp_path, content, "L")
    np.testing.assert_array_equal(as_color(got), loaded(tmp_path, content))
    np.testing.assert_array_equal(parts.gray(got), gray)


SIZES = [(1, 1), (7, 9), (2, 4), (3, 5), (16, 16), (17, 33), (40, 5), (123, 217)]
FORMS = [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"quality": 5}, {"quality": 100}]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("size", SIZES)
def test_jpeg_files_are_the_same_bytes(parts, tmp_path, size, mode):
    """With colors for each pixel, for two beside each other and for four, in gray, and with ink."""
    for options in FORMS:
        content = encoded(picture(*size).convert(mode), "JPEG", **options)
        got = parts.decode(content)
        assert got.shape[2] == (1 if mode == "L" else 3)
        np.testing.assert_array_equal(got, loaded(tmp_path, content, "L" if mode == "L" else "RGB"), str(options))


def chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def huge_png() -> bytes:
    head = (14000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def damaged_png() -> bytes:
    content = bytearray(encoded(picture(31, 45), "PNG"))
    content[len(content) // 2] ^= 1
    return bytes(content)


REFUSED = {
    "empty": (lambda: b"", "expected a JPEG, PNG, PPM or PGM file, and this is none"),
    "text": (lambda: b"a text\n" * 9, "expected a JPEG, PNG, PPM or PGM file, and this is none"),
    "a GIF": (lambda: encoded(picture(9, 9), "GIF"), "expected a JPEG, PNG, PPM or PGM file, and this is none"),
    "half a JPEG": (lambda: encoded(picture(64, 64), "JPEG")[:-900], "this JPEG file ends early"),
    "no end": (lambda: encoded(picture(64, 64), "JPEG")[:-2], "this JPEG file ends early"),
    "the head of a JPEG": (lambda: encoded(picture(64, 64), "JPEG")[:200], "this JPEG file ends early"),
    "half a PNG": (lambda: encoded(picture(64, 64), "PNG")[:-900], "this PNG file ends early"),
    "a flipped bit": (damaged_png, "this PNG file is damaged (a checksum differs)"),
    "196 megapixels": (huge_png, "14000x14000 pixels are too many"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_whole_image_is_refused(parts, kind):
    make, message = REFUSED[kind]
    assert parts.decode(make()).startswith(message)
