"""Files that other programs than torch.save write, or that somebody takes for a checkpoint: each made of a network."""

from __future__ import annotations

import gzip
import json
import pickle
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from tests.support.surveys.checkpoint_forms.saved_objects import floats, named

LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1100000\n"


def _torch(net: nn.Module, folder: Path) -> Path:
    torch.save(net.state_dict(), folder / "float.pt")
    return folder / "float.pt"


def _old_format(net: nn.Module, folder: Path) -> Path:
    torch.save(net.state_dict(), folder / "float.pt", _use_new_zipfile_serialization=False)
    return folder / "float.pt"


def _newer_pickle(net: nn.Module, folder: Path) -> Path:
    torch.save(net.state_dict(), folder / "float.pt", pickle_protocol=4)
    return folder / "float.pt"


def _safetensors(net: nn.Module, folder: Path, dtype: torch.dtype = torch.float32, prefix: str = "") -> Path:
    from safetensors.torch import save_file

    state = floats(net.state_dict(), lambda tensor: tensor.to(dtype))
    save_file(named(state, prefix=prefix), folder / "model.safetensors", metadata={"format": "pt"})
    return folder / "model.safetensors"


def _safetensors_of_a_module(net: nn.Module, folder: Path) -> Path:
    from safetensors.torch import save_model

    save_model(net, str(folder / "model.safetensors"))
    return folder / "model.safetensors"


def _shards(net: nn.Module, folder: Path) -> Path:
    from safetensors.torch import save_file

    folder = folder / "model"
    folder.mkdir()
    state = list(net.state_dict().items())
    places: dict[str, str] = {}
    for number in range(2):
        name, part = f"model-0000{number + 1}-of-00002.safetensors", dict(state[number::2])
        save_file(part, folder / name)
        places |= dict.fromkeys(part, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


def _torchscript(net: nn.Module, folder: Path) -> Path:
    torch.jit.trace(net, torch.zeros(1, 3, 32, 32)).save(str(folder / "float.pt"))
    return folder / "float.pt"


def _exported(net: nn.Module, folder: Path) -> Path:
    torch.export.save(torch.export.export(net, (torch.zeros(1, 3, 32, 32),)), folder / "float.pt2")
    return folder / "float.pt2"


def _distributed(net: nn.Module, folder: Path) -> Path:
    from torch.distributed import checkpoint

    checkpoint.save({"model": net.state_dict()}, checkpoint_id=folder / "step-1000")
    return folder / "step-1000"


def _onnx(net: nn.Module, folder: Path) -> Path:
    import onnx
    from onnx import helper

    value = [helper.make_tensor_value_info(name, 1, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "net", value[:1], value[1:])
    onnx.save(helper.make_model(graph), folder / "float.onnx")
    return folder / "float.onnx"


def _numpy_archive(net: nn.Module, folder: Path) -> Path:
    import numpy as np

    np.savez(folder / "float.npz", **{name: tensor.numpy() for name, tensor in net.state_dict().items()})
    return folder / "float.npz"


def _plain_pickle(net: nn.Module, folder: Path) -> Path:
    (folder / "float.pkl").write_bytes(pickle.dumps(net.state_dict()))
    return folder / "float.pkl"


def _gzip(net: nn.Module, folder: Path) -> Path:
    (folder / "float.pt.gz").write_bytes(gzip.compress(_torch(net, folder).read_bytes(), 1))
    return folder / "float.pt.gz"


def _zip(net: nn.Module, folder: Path) -> Path:
    with zipfile.ZipFile(folder / "float.zip", "w") as archive:
        archive.write(_torch(net, folder), "run/float.pt")
    return folder / "float.zip"


def _tar(net: nn.Module, folder: Path) -> Path:
    with tarfile.open(folder / "float.tar", "w") as archive:
        archive.add(_torch(net, folder), "run/float.pt")
    return folder / "float.tar"


def _cut_short(write: Callable[[nn.Module, Path], Path]) -> Callable[[nn.Module, Path], Path]:
    def written(net: nn.Module, folder: Path) -> Path:
        path = write(net, folder)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        return path

    return written


def _unpacked(net: nn.Module, folder: Path) -> Path:
    shutil.unpack_archive(_torch(net, folder), folder / "unpacked", "zip")
    return next((folder / "unpacked").iterdir())


def _of(content: bytes, name: str = "float.pt") -> Callable[[nn.Module, Path], Path]:
    def written(net: nn.Module, folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return written


FILES: dict[str, Callable[[nn.Module, Path], Path]] = {
    "torch's format before 1.6": _old_format,
    "torch.save(..., pickle_protocol=4)": _newer_pickle,
    "safetensors, save_file": _safetensors,
    "safetensors, save_model": _safetensors_of_a_module,
    "safetensors, bfloat16, resnet. in front": lambda net, folder: _safetensors(net, folder, torch.bfloat16, "resnet."),
    "safetensors, 8-bit floats": lambda net, folder: _safetensors(net, folder, torch.float8_e4m3fn),
    "safetensors, cut short": _cut_short(_safetensors),
    "safetensors, a folder of two shards": _shards,
    "safetensors, the index of two shards": lambda net, folder: _shards(net, folder) / "model.safetensors.index.json",
    "safetensors, one of two shards": lambda net, folder: _shards(net, folder) / "model-00001-of-00002.safetensors",
    "TorchScript": _torchscript,
    "torch.export": _exported,
    "torch.distributed.checkpoint, the folder": _distributed,
    "torch.distributed.checkpoint, a file in the folder": lambda net, folder: (
        _distributed(net, folder) / "__0_0.distcp"
    ),
    "a state_dict, unpacked": _unpacked,
    "a state_dict, cut short": _cut_short(_torch),
    "a state_dict in a gzip file": _gzip,
    "a state_dict in a zip archive": _zip,
    "a state_dict in a tar archive": _tar,
    "a pickle without torch.save": _plain_pickle,
    "ONNX": _onnx,
    "numpy.savez": _numpy_archive,
    "a Git LFS pointer": _of(LFS_POINTER),
    "a web page": _of(b"<!DOCTYPE html>\n<html><title>Sign in</title></html>\n"),
    "HDF5": _of(b"\x89HDF\r\n\x1a\n" + bytes(64), "float.h5"),
    "nothing, a file of 0 bytes": _of(b""),
    "no such file": lambda net, folder: folder / "float.pt",
}
