"""JPEG files without Huffman tables, as cameras write them, are read with the usual ones."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests.support.deploy.photos import picture


def saved(**options) -> bytes:
    file = io.BytesIO()
    picture(48, 64).save(file, "JPEG", **options)
    return file.getvalue()


def without_tables(content: bytes) -> bytes:
    """The file without its Huffman tables."""
    kept, at = content[:2], 2
    while content[at + 1] != 0xDA:
        length = 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        kept += content[at : at + length] if content[at + 1] != 0xC4 else b""
        at += length
    return kept + content[at:]


def test_a_frame_without_tables_is_read_with_the_usual_ones(parts):
    whole = saved()  # Pillow writes the usual tables where it does not optimize them
    frame = without_tables(whole)
    assert len(frame) < len(whole) - 400
    np.testing.assert_array_equal(parts.decode(frame), parts.decode(whole))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 20, 100, 300])
def test_what_is_no_frame_does_no_harm(parts, count):
    frame = without_tables(saved())[:count]
    assert isinstance(parts.decode(frame), str)
    assert isinstance(parts.decode(b"\xff\xd8" + b"\xff" * count), str)
