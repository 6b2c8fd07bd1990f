"""IDX files, whole and damaged ones."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.data.arrays.idx_file import read_idx
from b2nn_tvm.errors import InputError
from tests.support.data.idx_files import write_idx

ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("name", ["a-idx3-ubyte", "a-idx3-ubyte.gz"])
def test_an_array_is_read_gzipped_or_not(tmp_path: Path, name: str) -> None:
    file = write_idx(tmp_path / name, ARRAY)
    assert np.array_equal(read_idx(file), ARRAY)
    renamed = file.rename(tmp_path / "other")  # browsers unpack a file and leave its name, or the other way round
    assert np.array_equal(read_idx(renamed), ARRAY)


def test_the_format_is_that_of_its_author(tmp_path: Path) -> None:
    """As http://yann.lecun.com/exdb/mnist describes the head of the labels: 0x00000801, then the number of items."""
    file = tmp_path / "labels"
    file.write_bytes(bytes.fromhex("00000801 00000003 050004".replace(" ", "")))
    assert read_idx(file).tolist() == [5, 0, 4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is none"),
        (b"\x89PNG....", "it is none"),
        (b"\0\0\x08\0", "it is none"),
        (b"\0\0\x0d\1\0\0\0\1\0\0\0\0", "of bytes .type 8., but its type is 13"),
        (b"\0\0\x08\2\0\0\0\1", r"damaged IDX file: its lengths are \[1\]"),
        (b"\0\0\x08\2\xff\xff\xff\xff\xff\xff\xff\xff", "damaged IDX file: its lengths are"),
        (b"\0\0\x08\1\0\0\0\3ab", "should hold 3 values, but holds 2"),
        (b"\0\0\x08\1\0\0\0\1ab", "should hold 1 value, but holds more"),
        (gzip.compress(bytes(4000), mtime=0)[:20], "cannot be read"),
        (gzip.compress(b"\0\0\x08\1\0\0\0\1a", mtime=0)[:-3] + b"xyz", "should hold|cannot be read"),
    ],
)
def test_what_is_none_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(InputError, match=f"bad: .*({message})"):
        read_idx(tmp_path / "bad")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_idx(tmp_path / "missing")
