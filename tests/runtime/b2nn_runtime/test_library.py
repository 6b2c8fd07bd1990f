"""Libraries are opened and run, or it is said why not."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from b2nn_runtime.errors import RuntimeFault
from b2nn_runtime.library import Instance, aligned_empty


@pytest.fixture
def model_id(photo_net) -> str:
    return json.loads((photo_net / "manifest.json").read_text())["library"]["model_id"]


def test_what_is_no_library_is_named(photo_net, model_id, tmp_path):
    (tmp_path / "text.so").write_text("text")
    for path, wanted, threads, message in (
        (tmp_path / "text.so", model_id, 1, "this machine cannot load the library"),
        (photo_net / "libb2nn_model.so", "other", 1, "is not the one of its manifest; copy the whole folder again"),
        (photo_net / "libb2nn_model.so", model_id, 257, "cannot make an instance with 257 threads: a bad argument"),
    ):
        with pytest.raises(RuntimeFault, match=message):
            Instance(path, model_id=wanted, threads=threads)


def test_a_closed_instance_says_so(photo_net, model_id, tmp_path):
    shutil.copy(photo_net / "libb2nn_model.so", tmp_path)
    instance = Instance(tmp_path / "libb2nn_model.so", model_id=model_id, threads=2)
    assert instance.threads == 2
    instance.close()
    instance.close()
    with pytest.raises(RuntimeFault, match="this network has been closed"):
        instance.run([], [])


def test_arrays_start_at_multiples_of_64():
    for shape, dtype in (((1, 3, 5), "float32"), ((7,), "uint8"), ((), "float64")):
        array = aligned_empty(shape, dtype)
        assert array.ctypes.data % 64 == 0 and array.shape == shape and array.dtype == np.dtype(dtype)
