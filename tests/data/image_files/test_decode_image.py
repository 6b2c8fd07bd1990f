"""Images as their makers saw them, in every mode that files have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from b2nn_tvm.data.image_files.decode_image import decode, size_of
from b2nn_tvm.errors import InputError

RAMP = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
ARROW = np.zeros((4, 6, 3), np.uint8)
ARROW[0, 0] = 255  # one corner of an image that is wider than high


@pytest.mark.parametrize(("name", "pixels"), [("a.png", RAMP), ("a.tif", RAMP), ("b.tif", RAMP.astype(np.int32))])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_16_bit_grays_keep_all_their_steps(tmp_path: Path, name: str, pixels: np.ndarray, mode: str) -> None:
    Image.fromarray(pixels).save(tmp_path / name)
    read = np.asarray(decode(tmp_path / name, mode)).reshape(256, -1)[:, 0]
    assert read.tolist() == list(range(256))


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (RAMP.astype(np.int32) * 2, "int32 from 0 to 131070"),
        (RAMP.astype(np.int32) - 5, "int32 from -5"),
        (RAMP.astype(np.float32), "float32 from 0.0"),
    ],
)
def test_values_without_a_known_white_are_refused(tmp_path: Path, pixels: np.ndarray, message: str) -> None:
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=f"a.tif: its values are {message}.*expected 8 or 16 bits"):
        decode(tmp_path / "a.tif", "L")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    """EXIF 2.3: the stored row 0 and column 0 are the sides of the scene that each orientation names."""
    white = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "tl", 6: "tr", 7: "br", 8: "bl"}[orientation]
    image = Image.fromarray(ARROW.repeat(8, 0).repeat(8, 1))
    exif = Image.Exif()
    exif[274] = orientation
    image.save(tmp_path / f"a.{suffix}", exif=exif)
    read = np.asarray(decode(tmp_path / f"a.{suffix}", "L"))
    assert read.shape == ((32, 48) if orientation < 5 else (48, 32))
    assert size_of(tmp_path / f"a.{suffix}") == read.shape[::-1]
    row, column = (0 if white[0] == "t" else -1), (0 if white[1] == "l" else -1)
    corners = {(y, x): int(read[y, x]) for y in (0, -1) for x in (0, -1)}
    assert max(corners, key=corners.get) == (row, column)


def test_damaged_exif_data_says_nothing(tmp_path: Path) -> None:
    Image.fromarray(ARROW).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*")
    assert decode(tmp_path / "a.jpg", "RGB").size == size_of(tmp_path / "a.jpg") == (6, 4)


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("RGBA", "a.png"),
        ("LA", "a.png"),
        ("P", "a.gif"),
        ("1", "a.bmp"),
        ("CMYK", "a.jpg"),
        ("L", "a.JPEG"),
        ("RGB", "a.ppm"),
    ],
)
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str, name: str) -> None:
    Image.new("RGB", (5, 3), (255, 255, 255)).convert(mode).save(tmp_path / name)
    read = decode(tmp_path / name, "RGB")
    assert (read.mode, read.size) == ("RGB", (5, 3)) and np.asarray(read).min() >= 250


def test_what_is_transparent_is_paper(tmp_path: Path) -> None:
    """Drawings are often black lines on a transparent ground, whose color is black as well."""
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels[..., 3] // 255, "P").save(tmp_path / "b.png", transparency=bytes([0, 255]))
    assert np.asarray(decode(tmp_path / "a.png", "L")).tolist() == [[0, 255], [255, 255]]
    assert np.asarray(decode(tmp_path / "b.png", "L"))[1, 1] == 255


def test_what_is_no_image_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no image")
    for read in (lambda path: decode(path, "L"), size_of):
        with pytest.raises(InputError, match=r"a.png: not a readable image \(.*\); replace or remove it$"):
            read(tmp_path / "a.png")
