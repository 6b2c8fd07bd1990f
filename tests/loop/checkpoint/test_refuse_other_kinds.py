"""Files and folders that are no checkpoints are told apart."""

from __future__ import annotations

import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.checkpoint.read_checkpoint import read_checkpoint


def archive(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, b"")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"not torch", "cannot be read"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS pointer; fetch"),
        (b"\n<!DOCTYPE html><html>", "web page"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x93NUMPY\x01\x00v\x00", "one array of numpy"),
        (b"\x08\x07\x12\x07pytorch", "ONNX"),
        (b"\x1f\x8b\x08", "gzip"),
        (b'{"weight_map": {}}', "JSON"),
        (pickle.dumps({"a.weight": 1.0}), "none of torch.save"),
        (["x.npy", "x.txt"], "numpy arrays"),
        (["net/constants.pkl", "net/data.pkl"], "TorchScript.*torch.jit.load"),
        (["net/archive_format"], "torch.export.load"),
        (["run/a.pt", "b.txt"], "a zip archive, which holds run/a.pt, b.txt; unpack it first"),
        ([], "a zip archive, which holds nothing"),
        (b"PK\3\4" + bytes(60), "its end is missing; copy it again"),
        (b"\xfd7zXZ\0", "compressed by xz"),
        (tarfile.TarInfo("run/a.pt").tobuf() + bytes(1024), "a tar archive"),
    ],
)
def test_other_files_are_told_apart(tmp_path: Path, content, message: str) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(content) if isinstance(content, bytes) else archive(path, *content)
    with pytest.raises(InputError, match=f"a.pt: expected a state_dict that torch.save wrote.*{message}"):
        read_checkpoint(path)


def test_folders_of_a_checkpoint_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "step").mkdir()
    (tmp_path / "step" / ".metadata").touch()
    for path in (tmp_path / "step", tmp_path / "step" / "__0_0.distcp"):
        with pytest.raises(InputError, match=r'step: .*dcp_to_torch_save\("step", "step-weights.pt"\)$'):
            read_checkpoint(path)
    (tmp_path / "data.pkl").touch()
    with pytest.raises(InputError, match="unpacked from one; name that file"):
        read_checkpoint(tmp_path)
