"""Paths, images of Pillow and arrays as pixels, the same as the training's loader has."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from b2nn_runtime.errors import RuntimeFault
from b2nn_runtime.read_image import pixels_of
from PIL import Image

from b2nn_tvm.data.image_files.decode_image import decode
from tests.support.deploy.photos import picture, scene


def photos(folder) -> list:
    image = picture(31, 45)
    turned = image.getexif()
    turned[274] = 6
    clear = image.convert("RGBA")
    clear.putalpha(Image.fromarray(scene(31, 45, seed=9, channels=1)[..., 0]))
    image.save(folder / "a.png")
    image.save(folder / "b.jpg", exif=turned)
    clear.save(folder / "c.png")
    image.quantize(9).save(folder / "d.png", transparency=bytes(range(9)))
    image.convert("L").save(folder / "e.png")
    image.save(folder / "f.ppm")
    Image.fromarray(np.linspace(0, 65535, 31 * 45).reshape(31, 45).astype(np.uint16)).save(folder / "g.png")
    return sorted(folder.iterdir())


def test_files_are_as_in_training(tmp_path):
    for path in photos(tmp_path):
        got = pixels_of(path)
        mode = "L" if got.shape[2] == 1 else "RGB"
        np.testing.assert_array_equal(got, np.asarray(decode(path, mode)).reshape(got.shape))
        np.testing.assert_array_equal(pixels_of(Image.open(path)), got)
        np.testing.assert_array_equal(pixels_of(str(path)), got)


def test_arrays_are_taken_as_they_are():
    pixels = scene(5, 6)
    assert pixels_of(pixels) is pixels
    assert pixels_of(pixels[..., 0]).shape == (5, 6, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        scene(5, 6).astype("float32"),
        np.zeros((5, 6, 4), np.uint8),
        np.zeros((3, 0, 3), np.uint8),
        np.zeros(9, np.uint8),
    ],
)
def test_other_arrays_are_refused(wrong):
    with pytest.raises(RuntimeFault, match=r"expected pixels as uint8 \[height, width, 3\]"):
        pixels_of(wrong)


def test_what_is_no_image_is_refused(tmp_path):
    (tmp_path / "text.jpg").write_text("text")
    for wrong, message in (
        (tmp_path / "text.jpg", "text.jpg: not a readable image"),
        (tmp_path / "none.png", "none.png: not a readable image"),
        (tmp_path, "expected an image, but this is a folder; give the files in it"),
        (3, "expected a path, an image of Pillow or an array of uint8, but got int"),
    ):
        with pytest.raises(RuntimeFault, match=message):
            pixels_of(wrong)


def test_without_pillow_there_are_ppm_and_pgm(tmp_path, monkeypatch):
    pixels = scene(31, 45)
    (tmp_path / "a.ppm").write_bytes(b"P6 # from a camera\n45 31\n255\n" + pixels.tobytes())
    (tmp_path / "b.pgm").write_bytes(b"P5\n45\n31\n255\n" + pixels[..., 0].tobytes())
    (tmp_path / "short.ppm").write_bytes(b"P6 45 31 255\n" + pixels.tobytes()[:-1])
    picture(31, 45).save(tmp_path / "c.jpg")
    for name in [name for name in sys.modules if name.partition(".")[0] == "PIL"]:
        monkeypatch.setitem(sys.modules, name, None)
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.ppm"), pixels)
    np.testing.assert_array_equal(pixels_of(tmp_path / "b.pgm"), pixels[..., :1])
    for name, message in (
        ("c.jpg", "without Pillow only binary PPM and PGM files of 8 bits are read; get it with: pip install pillow"),
        ("short.ppm", "this file ends early"),
        ("none.ppm", "cannot read this file: No such file or directory"),
    ):
        with pytest.raises(RuntimeFault, match=message):
            pixels_of(tmp_path / name)
