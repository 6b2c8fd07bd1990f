"""Archives of numpy arrays are read without unpickling; what they do not hold is not allocated."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.checkpoint.read_arrays import is_arrays, read_arrays
from b2nn_tvm.loop.checkpoint.read_checkpoint import read_checkpoint

ARRAYS = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "conv.bias": np.array([0.5, -1], ">f4"),
    "fc.weight": np.asfortranarray(np.arange(6, dtype=np.float16).reshape(2, 3)),
    "count": np.int64(7),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_the_arrays_are_tensors_by_name(tmp_path: Path, save) -> None:
    save(tmp_path / "a.npz", **ARRAYS, note=np.array("text"), things=np.array([{}], object))
    found = read_checkpoint(tmp_path / "a.npz")
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name].numpy(), array)
    assert found["conv.bias"].dtype == torch.float32


def archive(path: Path, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in entries.items():
            file.writestr(f"{name}.npy", content)
    return path


def header(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize("content", [header((2, 3)) + bytes(23), header((1 << 40,)) + bytes(8)])
def test_an_array_that_is_cut_short_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match=r"a.npz: the bytes of w are not those of an array \[.*\]: cut short"):
        read_arrays(archive(tmp_path / "a.npz", w=content))


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY\1\0", b"\x93NUMPY\x09\0" + bytes(64), header((2,))[:-20] + bytes(40)]
)
def test_a_damaged_header_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match="a.npz: .*cannot be read"):
        read_checkpoint(archive(tmp_path / "a.npz", w=content))


def test_other_archives_are_none(tmp_path: Path) -> None:
    torch.save(dict.fromkeys("ab"), tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as file:
        file.writestr("a.npy", b"")
        file.writestr("a.txt", b"")
    assert not any(map(is_arrays, (tmp_path / "a.pt", tmp_path / "b.zip", archive(tmp_path / "c.npz"))))
