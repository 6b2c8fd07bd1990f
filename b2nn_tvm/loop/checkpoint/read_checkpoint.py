"""Read a checkpoint file without running anything that it holds."""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.checkpoint.pickled_arrays import array_stand_in, is_plain_pickle, read_plain_pickle, with_tensors
from b2nn_tvm.loop.checkpoint.pickled_names import pickled_names
from b2nn_tvm.loop.checkpoint.read_arrays import is_arrays, read_arrays
from b2nn_tvm.loop.checkpoint.read_safetensors import is_safetensors, read_safetensors
from b2nn_tvm.loop.checkpoint.read_shards import ENDING as INDEX
from b2nn_tvm.loop.checkpoint.read_shards import read_shards
from b2nn_tvm.loop.checkpoint.refuse_other_kinds import EXPECTED, refuse_folder, refuse_other_kinds
from b2nn_tvm.loop.checkpoint.stand_ins import StandIn, is_plain, stand_ins

# What damaged files make torch's reader and pickle raise.
_DAMAGE = (
    *(OSError, RuntimeError, EOFError, ValueError, TypeError, LookupError, AttributeError, AssertionError),
    *(ArithmeticError, struct.error, pickle.UnpicklingError, zipfile.BadZipFile),
)


def read_checkpoint(path: Path) -> Any:
    """The content of the file at ``path``, with inert stand-ins for the objects beside the weights.

    ``path`` may be the index of weights in several files as well, or a folder with one. Raises InputError where the
    file cannot be read, asks for classes that are not known to be plain data, or is a whole pickled module.
    """
    if path.is_dir() and len(indices := list(path.glob(f"*{INDEX}"))) == 1:
        return read_checkpoint(indices[0])
    refuse_folder(path)
    if path.name.endswith(INDEX) and path.is_file():
        return read_shards(path, read_checkpoint)
    names: set[str] = set()
    try:
        if is_safetensors(path):
            return read_safetensors(path)
        if is_arrays(path):
            return read_arrays(path)
        refuse_other_kinds(path)
        if is_plain_pickle(path):
            return read_plain_pickle(path)
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
        raise InputError(f"{path}: no such file; {EXPECTED}") from None
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
        f"{path}: {EXPECTED}, but it holds a whole pickled module, which would run the code of whoever made it; if you"
        f" trust it, turn it{hint} into a state_dict where its classes can be imported:"
        f' model = torch.load("{path.name}", map_location="cpu", weights_only=False){place};'
        f' torch.save(model.float().state_dict(), "{path.stem}-weights.pt")'
    )


def _unreadable(path: Path, error: Exception) -> InputError:
    text = str(error).rpartition("WeightsUnpickler error: ")[2].partition("\n")[0]  # torch's advice is not for users
    reason = " ".join(text.split())[:120] or type(error).__name__
    return InputError(f"{path}: {EXPECTED}, but it cannot be read: {reason}")


def _load(path: Path, names: set[str]) -> Any:
    with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins(names, array_stand_in)):
        warnings.simplefilter("ignore")  # about protocols of pickle other than 2, which are read all the same
        return with_tensors(torch.load(path, map_location="cpu", weights_only=True))


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
