"""Photos stand upright, wherever the file says how the camera was held."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from b2nn_tvm.data.image_files.decode_image import decode
from tests.support.deploy.photos import picture

XMP = '<x:xmpmeta><rdf:Description tiff:Orientation="{}"/></x:xmpmeta>'


def exif(orientation: int, order: str) -> bytes:
    """EXIF data with a directory of two entries."""
    entries = struct.pack(f"{order}HHIHH", 256, 3, 1, 5, 0) + struct.pack(f"{order}HHIHH", 274, 3, 1, orientation, 0)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return b"Exif\0\0" + head + struct.pack(f"{order}H", 2) + entries + bytes(4)


def saved(kind: str, **options) -> bytes:
    file = io.BytesIO()
    picture(21, 34).save(file, kind, **options)
    return file.getvalue()


def same(parts, folder, content: bytes) -> np.ndarray:
    (folder / "file").write_bytes(content)
    want = np.asarray(decode(folder / "file", "RGB"))
    got = parts.decode(content)
    np.testing.assert_array_equal(got, want)
    return got


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(parts, tmp_path, kind, order, orientation):
    content = saved(kind, exif=exif(orientation, order))
    got = same(parts, tmp_path, content)
    assert got.shape == ((34, 21, 3) if orientation >= 5 else (21, 34, 3))


@pytest.mark.parametrize("orientation", [0, 9, 600])
def test_other_numbers_say_nothing(parts, tmp_path, orientation):
    content = saved("PNG", exif=exif(orientation, "<"))
    np.testing.assert_array_equal(same(parts, tmp_path, content), np.asarray(picture(21, 34)))


@pytest.mark.parametrize("cut", [7, 12, 16, 30])
def test_damaged_data_say_nothing(parts, cut):
    content = saved("PNG", exif=exif(6, "<")[:cut])
    np.testing.assert_array_equal(parts.decode(content), np.asarray(picture(21, 34)))


@pytest.mark.parametrize("compressed", [False, True])
def test_xmp_counts_where_exif_says_nothing(parts, tmp_path, compressed):
    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP.format(6), zip=compressed)
    assert same(parts, tmp_path, saved("PNG", pnginfo=text)).shape == (34, 21, 3)
    assert same(parts, tmp_path, saved("JPEG", xmp=XMP.format(8).encode())).shape == (34, 21, 3)
    both = saved("JPEG", xmp=XMP.format(8).encode(), exif=exif(3, ">"))
    assert same(parts, tmp_path, both).shape == (21, 34, 3)


def test_a_picture_without_any_is_as_it_is(parts):
    np.testing.assert_array_equal(parts.decode(saved("PNG")), np.asarray(Image.open(io.BytesIO(saved("PNG")))))
