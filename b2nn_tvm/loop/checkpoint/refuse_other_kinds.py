"""Say what a file is that is taken for a checkpoint, and what to do with it."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

from b2nn_tvm.errors import InputError

EXPECTED = "expected a state_dict that torch.save wrote, or a safetensors file"
_BEGINNINGS = (  # how files begin that are taken for checkpoints
    (b"version https://git-lfs", "a Git LFS pointer; fetch the file with git lfs pull"),
    (b"<", "a web page or XML; download the file itself"),
    (b"\x89HDF", "an HDF5 file, as Keras writes; a torch checkpoint is needed"),
    (b"\x93NUMPY", "one array of numpy; write all arrays by name with numpy.savez"),
    (b"\x08", "an ONNX or TensorFlow file; a torch checkpoint is needed"),
    (b"\x1f\x8b", "compressed by gzip; unpack it first"),
    (b"BZh", "compressed by bzip2; unpack it first"),
    (b"7z", "compressed by 7-Zip; unpack it first"),
    (b"\xfd7zXZ", "compressed by xz; unpack it first"),
    (b"{", "a JSON file; give the file of the weights itself"),
)


def refuse_folder(path: Path) -> None:
    """Raise InputError where ``path`` is a folder or a part of one of torch.distributed.checkpoint."""
    if path.suffix == ".distcp" or (path / ".metadata").is_file():
        folder = path if path.is_dir() else path.parent
        raise InputError(
            f"{folder}: {EXPECTED}, but this folder is one of torch.distributed.checkpoint; turn it into one file, if"
            " you trust it: from torch.distributed.checkpoint.format_utils import dcp_to_torch_save;"
            f' dcp_to_torch_save("{folder.name}", "{folder.stem}-weights.pt")'
        )
    if (path / "data.pkl").is_file():
        raise InputError(f"{path}: {EXPECTED}, but this folder is what was unpacked from one; name that file")
    if path.is_dir():
        inside = ", ".join(sorted(entry.name for entry in path.iterdir())[:8]) or "nothing"
        raise InputError(f"{path}: {EXPECTED}, but this is a folder, which holds {inside}; name a file in it")


def refuse_other_kinds(path: Path) -> None:
    """Raise InputError where the file at ``path`` is a known one of another kind, or a program."""
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise InputError(f"{path}: {EXPECTED}, but the file is empty")
    for beginning, kind in _BEGINNINGS:
        if head.lstrip().startswith(beginning):
            raise InputError(f"{path}: {EXPECTED}, but this is {kind}")
    if tarfile.is_tarfile(path):
        raise InputError(f"{path}: {EXPECTED}, but this is a tar archive; unpack it first")
    if not zipfile.is_zipfile(path):
        if head.startswith(b"PK"):
            raise InputError(f"{path}: {EXPECTED}, but it cannot be read: its end is missing; copy it again")
        return
    with zipfile.ZipFile(path) as archive:
        files = archive.namelist()
    if any(name.endswith(".npy") for name in files):
        raise InputError(f"{path}: {EXPECTED}, but this is an archive of numpy arrays")
    if not any(name.rpartition("/")[2] in ("data.pkl", "archive_format") for name in files):
        inside = ", ".join(files[:4]) or "nothing"
        raise InputError(f"{path}: {EXPECTED}, but this is a zip archive, which holds {inside}; unpack it first")
    scripted = any(name.endswith("/constants.pkl") for name in files)
    if scripted or any(name.endswith("/archive_format") for name in files):
        kind, load = ("TorchScript", "torch.jit.load") if scripted else ("torch.export", "torch.export.load")
        raise InputError(
            f"{path}: {EXPECTED}, but this is a program of {kind}; turn it into a state_dict:"
            f' model = {load}("{path.name}"); torch.save(dict(model.state_dict{"()" * scripted}),'
            f' "{path.stem}-weights.pt")'
        )
