"""PPM and PGM files of every maximum, binary and plain, are the bytes that the training's loader has."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.data.image_files.decode_image import decode
from tests.support.deploy.photos import scene


def values(most: int, channels: int) -> np.ndarray:
    """All values once where they fit, else some, the ends among them."""
    found = np.unique(np.linspace(0, most, 300).astype(int))
    return np.resize(found, (12, 25, channels))


def binary(kind: bytes, pixels: np.ndarray, most: int, comment: bytes = b"") -> bytes:
    head = kind + b"\n" + comment + b"%d %d\n%d\n" % (pixels.shape[1], pixels.shape[0], most)
    return head + pixels.astype(">u2" if most > 255 else "u1").tobytes()


def plain(kind: bytes, pixels: np.ndarray, most: int) -> bytes:
    head = kind + b" %d %d %d\n" % (pixels.shape[1], pixels.shape[0], most)
    return head + b"# a comment\n" + b" ".join(b"%d" % value for value in pixels.ravel()) + b"\n"


@pytest.mark.parametrize("most", [1, 3, 15, 100, 254, 255, 256, 1000, 4095, 65534, 65535])
@pytest.mark.parametrize("kind", [b"P5", b"P6", b"P2", b"P3"])
def test_the_bytes_are_the_same(parts, tmp_path, kind, most):
    channels = 1 if kind in (b"P5", b"P2") else 3
    content = (binary if kind in (b"P5", b"P6") else plain)(kind, values(most, channels), most)
    (tmp_path / "file").write_bytes(content)
    want = np.asarray(decode(tmp_path / "file", "L" if channels == 1 else "RGB")).reshape(12, 25, channels)
    np.testing.assert_array_equal(parts.decode(content), want)


def test_comments_in_the_head(parts):
    pixels = scene(5, 7)
    np.testing.assert_array_equal(parts.decode(binary(b"P6", pixels, 255, b"# from a camera\n#\r")), pixels)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (binary(b"P6", scene(5, 7), 255)[:-1], "this PPM or PGM file ends early"),
        (binary(b"P5", scene(5, 7, channels=1), 300)[:-1], "this PPM or PGM file ends early"),
        (plain(b"P2", scene(5, 7, channels=1), 255)[:-4] + b"x\n", "this PPM or PGM file ends early"),
        (b"P6 7 5\n", "the head of this PPM or PGM file is damaged"),
        (b"P6 7 -5 255\n" + bytes(200), "the head of this PPM or PGM file is damaged"),
        (b"P6 7 5 65536\n" + bytes(900), "the head of this PPM or PGM file is damaged"),
        (b"P6 99999999999999999999 1 255\n" + bytes(99), "99999999x99999999 pixels are too many"),
        (b"P6 60000 60000 255\n" + bytes(99), "60000x60000 pixels are too many"),
        (b"P4 8 1\n\xff", "expected a JPEG, PNG, PPM or PGM file"),
    ],
)
def test_what_is_wrong_is_refused(parts, content, message):
    assert parts.decode(content).startswith(message)
