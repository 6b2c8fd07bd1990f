"""Read a checkpoint file without running anything that it holds, and say what it is where it is none."""

from __future__ import annotations

import pickle
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.checkpoint.pickled_names import pickled_names
from b2nn_tvm.loop.checkpoint.read_safetensors import is_safetensors, read_safetensors
from b2nn_tvm.loop.checkpoint.stand_ins import StandIn, is_plain, stand_ins

_EXPECTED = "expected a state_dict that torch.save wrote, or a safetensors file"
_BEGINNINGS = (  # how files begin that are taken for checkpoints
    (b"version https://git-lfs", "a Git LFS pointer; fetch the file with git lfs pull"),
    (b"<", "a web page or XML; download the file itself"),
    (b"\x89HDF", "an HDF5 file, as Keras writes; a torch checkpoint is needed"),
    (b"\x08", "an ONNX or TensorFlow file; a torch checkpoint is needed"),
    (b"\x1f\x8b", "compressed by gzip; unpack it first"),
    (b"BZh", "compressed by bzip2; unpack it first"),
    (b"7z", "compressed by 7-Zip; unpack it first"),
    (b"\xfd7zXZ", "compressed by xz; unpack it first"),
    (b"{", "a JSON file; give the file of the weights itself"),
)
# What damaged files make torch's reader and pickle raise.
_DAMAGE = (
    *(OSError, RuntimeError, EOFError, ValueError, TypeError, LookupError, AttributeError, AssertionError),
    *(ArithmeticError, struct.error, pickle.UnpicklingError, zipfile.BadZipFile),
)


def read_checkpoint(path: Path) -> Any:
    """The content of the file at ``path``, with inert stand-ins for the objects beside the weights.

    Raises InputError where the file cannot be read, asks for classes that are not known to be plain data, or is a whole
    pickled module.
    """
    if path.suffix == ".distcp" or (path / ".metadata").is_file():
        _refuse_distributed(path if path.is_dir() else path.parent)
    if (path / "data.pkl").is_file():
        raise InputError(f"{path}: {_EXPECTED}, but this folder is what was unpacked from one; name that file")
    if path.is_dir():
        inside = ", ".join(sorted(entry.name for entry in path.iterdir())[:8]) or "nothing"
        raise InputError(f"{path}: {_EXPECTED}, but this is a folder, which holds {inside}; name a file in it")
    try:
        if is_safetensors(path):
            return read_safetensors(path)
        _refuse_other_kinds(path)
        names = pickled_names(path)
        strangers = sorted(name for name in names if not is_plain(name))
        if strangers and not any(name.startswith("torch.nn.modules.") for name in names):
            _refuse_strangers(path, strangers)
        loaded = _load(path, names)
    except pickle.UnpicklingError as error:
        if any(name.startswith("torch.nn.modules.") for name in names):  # the old format has modules apart
            _refuse_module(path, "", " (or what holds the model in it)")
        raise _unreadable(path, error) from None
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {_EXPECTED}") from None
    except _DAMAGE as error:
        raise _unreadable(path, error) from None
    if strangers or isinstance(loaded, StandIn):
        refuse_module(path, loaded)
    if strangers:
        _refuse_strangers(path, strangers)
    return loaded


def refuse_module(path: Path, loaded: Any) -> None:
    """Raise InputError where ``loaded`` is or holds a pickled module, with the two lines that make it a state_dict."""
    for place in _modules(loaded):
        _refuse_module(path, place)


def _refuse_module(path: Path, place: str, hint: str = "") -> NoReturn:
    raise InputError(
        f"{path}: {_EXPECTED}, but it holds a whole pickled module, which would run the code of whoever made it; if you"
        f" trust it, turn it{hint} into a state_dict where its classes can be imported:"
        f' model = torch.load("{path.name}", map_location="cpu", weights_only=False){place};'
        f' torch.save(model.float().state_dict(), "{path.stem}-weights.pt")'
    )


def _refuse_distributed(folder: Path) -> NoReturn:
    raise InputError(
        f"{folder}: {_EXPECTED}, but this folder is one of torch.distributed.checkpoint; turn it into one file, if you"
        " trust it: from torch.distributed.checkpoint.format_utils import dcp_to_torch_save;"
        f' dcp_to_torch_save("{folder.name}", "{folder.stem}-weights.pt")'
    )


def _unreadable(path: Path, error: Exception) -> InputError:
    text = str(error).rpartition("WeightsUnpickler error: ")[2].partition("\n")[0]  # torch's advice is not for users
    reason = " ".join(text.split())[:120] or type(error).__name__
    return InputError(f"{path}: {_EXPECTED}, but it cannot be read: {reason}")


def _load(path: Path, names: set[str]) -> Any:
    with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins(names)):
        warnings.simplefilter("ignore")  # about protocols of pickle other than 2, which are read all the same
        return torch.load(path, map_location="cpu", weights_only=True)


def _modules(loaded: Any) -> Iterator[str]:
    """Where pickled modules are, as what follows the loaded object in Python: "" or '["model"]'."""
    if isinstance(loaded, StandIn) and loaded.is_module:
        yield ""
    elif isinstance(loaded, dict):
        for key, value in loaded.items():
            for place in _modules(value):
                yield f"[{key!r}]".replace("'", '"') + place


def _refuse_strangers(path: Path, strangers: list[str]) -> NoReturn:
    more = f" and {len(strangers) - 3} more" if len(strangers) > 3 else ""
    raise InputError(
        f"{path}: beside or in place of weights it holds objects of {', '.join(strangers[:3])}{more}, and building"
        " them may run code; if you trust the file, keep its weights alone, for example:"
        f' loaded = torch.load("{path.name}", map_location="cpu", weights_only=False);'
        f' torch.save(loaded["state_dict"], "{path.stem}-weights.pt")'
    )


def _refuse_other_kinds(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise InputError(f"{path}: {_EXPECTED}, but the file is empty")
    for beginning, kind in _BEGINNINGS:
        if head.lstrip().startswith(beginning):
            raise InputError(f"{path}: {_EXPECTED}, but this is {kind}")
    if tarfile.is_tarfile(path):
        raise InputError(f"{path}: {_EXPECTED}, but this is a tar archive; unpack it first")
    if not zipfile.is_zipfile(path):
        if head.startswith(b"PK"):
            raise InputError(f"{path}: {_EXPECTED}, but it cannot be read: its end is missing; copy it again")
        return
    with zipfile.ZipFile(path) as archive:
        files = archive.namelist()
    if any(name.endswith(".npy") for name in files):
        raise InputError(f"{path}: {_EXPECTED}, but this is an archive of numpy arrays")
    if not any(name.rpartition("/")[2] in ("data.pkl", "archive_format") for name in files):
        inside = ", ".join(files[:4]) or "nothing"
        raise InputError(f"{path}: {_EXPECTED}, but this is a zip archive, which holds {inside}; unpack it first")
    scripted = any(name.endswith("/constants.pkl") for name in files)
    if scripted or any(name.endswith("/archive_format") for name in files):
        kind, load = ("TorchScript", "torch.jit.load") if scripted else ("torch.export", "torch.export.load")
        raise InputError(
            f"{path}: {_EXPECTED}, but this is a program of {kind}; turn it into a state_dict:"
            f' model = {load}("{path.name}"); torch.save(dict(model.state_dict{"()" * scripted}),'
            f' "{path.stem}-weights.pt")'
        )
