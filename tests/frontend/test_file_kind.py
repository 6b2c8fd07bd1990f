"""What a file is that is no ONNX model, and what to do about it."""

from __future__ import annotations

import gzip
import io
import pickle
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.frontend.file_kind import HEAD_BYTES, file_kind, likely_kind
from tests.support.networks.onnx_networks import NETWORKS


def archive(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for name in names:
            opened.writestr(name, "x")
    return file.getvalue()


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as opened:
        opened.addfile(tarfile.TarInfo("model.onnx"))
    return file.getvalue()


def saved(write, *values: object) -> bytes:
    file = io.BytesIO()
    write(file, *values)
    return file.getvalue()


KINDS = [
    (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 44790507\n",
        "a Git LFS pointer, .* git lfs pull",
    ),
    (b"<!DOCTYPE html><html><body>404</body></html>", "web page in HTML.*download the raw file"),
    ("\ufeff\n <html><title>Größe</title>".encode(), "web page in HTML"),
    (b"<?xml version='1.0'?><net name='x'/>", "XML.*OpenVINO"),
    (b"\x20\x00\x00\x00TFL3" + bytes(64), "TensorFlow Lite model.*tf2onnx"),
    (b"\x20\x00\x00\x00ORTM" + bytes(64), "onnxruntime's own format"),
    (archive("net/data.pkl", "net/data/0"), "file of PyTorch .*torch.onnx.export"),
    (b"PK\x03\x04" + bytes(200), "damaged zip archive, perhaps a file of PyTorch"),
    (archive("resnet/resnet.onnx"), "zip archive with an ONNX file in it; unpack"),
    (archive("metadata.json", "config.json", "model.weights.h5"), "Keras model"),
    (saved(np.savez, np.zeros(3)), "numpy arrays"),
    (archive("readme.txt"), "zip archive; give"),
    (saved(np.save, np.zeros(3)), "one numpy array"),
    (pickle.dumps({"conv.weight": 1}, protocol=2), "file of PyTorch"),
    (
        b'\x40\x00\x00\x00\x00\x00\x00\x00{"w":{"dtype":"F32","shape":[1]}}' + bytes(64),
        "safetensors.*without the network",
    ),
    (b"\x89HDF\r\n\x1a\n" + bytes(64), "HDF5 file, as Keras"),
    (gzip.compress(b"model"), "compressed; unpack"),
    (tar(), "tar archive; unpack"),
    (b"\x7fELF\x02\x01\x01" + bytes(64), "compiled program or library"),
    (b"GGUF\x03\x00\x00\x00", "GGUF"),
    (b"\x89PNG\r\n\x1a\n", "a picture"),
    (b"this is text, not a model", "text; expected ONNX's binary form"),
    (b'{"irVersion": "8", "graph": {}}', "text"),
]


@pytest.mark.parametrize(("content", "kind"), KINDS, ids=[kind for _, kind in KINDS])
def test_a_file_is_called_by_its_kind(content: bytes, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert re.search(kind, file_kind(path, content[:HEAD_BYTES]))


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_speaks_against_a_model(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(NETWORKS[name].build().SerializeToString())
    assert file_kind(path, path.read_bytes()[:HEAD_BYTES]) == ""


def test_the_ending_of_the_name_is_a_hint() -> None:
    assert "TensorFlow" in likely_kind(Path("frozen.PB"))
    assert likely_kind(Path("net.onnx")) == ""
