"""Weights in other files: read from the model's folder alone, and only where all of them are there."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.read_onnx import load_model
from tests.support.networks.imported import FLOATS
from tests.support.networks.onnx_models import model, save

SECRET = "secret.bin"


@pytest.fixture
def files(tmp_path):
    """A folder with a model whose weights are in weights.bin, beside a file that is none of the model's business."""
    folder = tmp_path / "net"
    folder.mkdir()
    built = model("a = Conv (input, w) output = Add (a, b)", {"w": FLOATS, "b": np.ones((1, 1, 1, 1), np.float32)})
    path = folder / "model.onnx"
    onnx.save(built, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / SECRET).write_bytes(bytes(10**6))
    return path


def rewrite(path, **entries):
    """Replace entries of the first tensor; None takes one away."""
    built = onnx.load(path, load_external_data=False)
    kept = {entry.key: entry.value for entry in built.graph.initializer[0].external_data} | entries
    del built.graph.initializer[0].external_data[:]
    for key, value in kept.items():
        if value is not None:
            built.graph.initializer[0].external_data.add(key=key, value=str(value))
    onnx.save(built, path)
    return path


def test_weights_beside_the_model(files):
    loaded = {tensor.name: tensor for tensor in load_model(files).graph.initializer}
    np.testing.assert_array_equal(numpy_helper.to_array(loaded["w"]), FLOATS)


def test_entries_that_may_be_missing(files):
    rewrite(files, length=None, checksum="0" * 40, mystery="what onnx does not know")
    np.testing.assert_array_equal(numpy_helper.to_array(load_model(files).graph.initializer[0]), FLOATS)


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ({"location": f"../{SECRET}"}, "points outside of the model's folder and is not read"),
        ({"location": f"x/../../{SECRET}"}, "points outside of the model's folder"),
        ({"location": "/etc/passwd"}, "'/etc/passwd', which points outside"),
        ({"location": r"..\secret.bin"}, "points outside"),
        ({"location": r"C:\secret.bin"}, "points outside"),
        ({"location": "absent.bin"}, "'absent.bin': no such file.*put it beside the model, or export with"),
        ({"location": "."}, "no such file"),
        ({"location": None}, "the tensor 'w' does not name it"),
        ({"location": "x" * 300}, "File name too long"),
        ({"offset": 10**6}, r"'weights.bin' is too short: the tensor 'w' ends at byte 1000432, the file at \d+"),
        ({"offset": -1}, "has the offset '-1', which is no number"),
        ({"length": "1e3"}, "has the length '1e3', which is no number"),
        ({"length": 8}, r"'w' of the shape \[3, 4, 3, 3\] needs 432 bytes, but the file keeps 8 of them"),
    ],
)
def test_weights_that_cannot_be_read(files, entries, text):
    with pytest.raises(InputError, match=text) as caught:
        load_model(rewrite(files, **entries))
    assert str(caught.value).startswith(f"{files}: the ")


def test_a_file_that_is_cut(files):
    (files.parent / "weights.bin").write_bytes(b"1234")
    with pytest.raises(InputError, match="'weights.bin' is too short"):
        load_model(files)


def test_a_huge_shape_reads_nothing(files):
    built = onnx.load(files, load_external_data=False)
    built.graph.initializer[0].dims[0] = 2**31
    with pytest.raises(InputError, match="needs 309237645312 bytes"):
        load_model(save(files.parent, built))


def test_thousands_of_tensors_of_the_same_bytes(files):
    built = onnx.load(files, load_external_data=False)
    for index in range(1000):
        tensor = built.graph.initializer.add()
        tensor.CopyFrom(built.graph.initializer[0])
        tensor.name = f"copy{index}"
    with pytest.raises(InputError, match="more tensors share its bytes than is believable"):
        load_model(save(files.parent, built))


def test_a_link_out_of_the_folder_is_not_followed(files):
    (files.parent / "weights.bin").unlink()
    (files.parent / "weights.bin").symlink_to(files.parent.parent / SECRET)
    with pytest.raises(InputError, match="cannot be read"):
        load_model(files)
