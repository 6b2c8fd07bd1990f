"""The file of a mismatch keeps names, shapes and types."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.verification.mismatch_file import read_arrays, write_arrays


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "found.npz"
    inputs = {"a/b:0": np.float32([[1, np.nan]]), "../c": np.array([True])}
    write_arrays(path, inputs=inputs, got={"y": np.zeros((0, 3), np.int8)})
    found = read_arrays(path)
    assert sorted(found) == ["got", "inputs"] and found["got"]["y"].shape == (0, 3)
    for name, value in inputs.items():
        np.testing.assert_array_equal(found["inputs"][name], value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["found.npz"]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"absent/found.npz: the file cannot be written: No such file"):
        write_arrays(tmp_path / "absent" / "found.npz", inputs={})
