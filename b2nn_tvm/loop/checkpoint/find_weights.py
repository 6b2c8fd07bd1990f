"""Find which entry of a checkpoint holds the weights of a network: {"epoch": 3, "state_dict": {...}} -> {...}."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.checkpoint.read_checkpoint import refuse_module
from b2nn_tvm.progress import Note

# Moving averages come first: theirs is the accuracy that is reported (timm's load_checkpoint prefers them, too).
ENTRIES = (
    *("state_dict_ema", "model_ema", "ema_state_dict", "ema_model", "ema", "params_ema"),
    *("state_dict", "model_state_dict", "model_state", "model_dict", "model_weights"),
    *("model", "net", "network", "net_state_dict", "net_dict", "module", "student", "weights", "params"),
)
_NO_WEIGHTS = ("optim", "sched", "scaler", "loss", "criterion")  # parts of names of other entries
_FOLLOWERS = ("teacher", "encoder_k", "momentum", "target")  # of networks beside the one that is trained
_DEEPEST = 4


def find_weights(loaded: Any, path: Path, *, note: Note) -> dict[str, torch.Tensor]:
    """The tensors of the state_dict in ``loaded`` by name, which was read from ``path``.

    It may be the object itself, the only part with weights of a tuple or list, or stand in one of the entries that
    trainings write, in their order of preference, or in the only entry with tensors. ``note`` is told of a choice
    between several. Raises InputError where there is none, or where several entries have weights and none of them has a
    usual name.
    """
    if isinstance(loaded, tuple | list):
        parts = [part for part in loaded if isinstance(part, Mapping) and list(_candidates(part, ()))]
        loaded = parts[0] if len(parts) == 1 else loaded
    if not isinstance(loaded, Mapping):
        refuse_module(path, loaded)
        raise InputError(f"{path}: expected a state_dict, but it holds a {type(loaded).__name__}")
    found = list(_candidates(loaded, ()))
    if not found and _tensors(loaded):
        found = [()]  # only vectors: a state_dict of no network with convolutions, but one all the same
    if not found:
        refuse_module(path, loaded)
        keys = ", ".join(map(str, list(loaded)[:8])) or "nothing"
        raise InputError(f"{path}: expected a state_dict, but no entry holds tensors by name; it has {keys}")
    place, *others = sorted(found, key=ranks)
    if others and ranks(place) == ranks(others[0]):
        names = ", ".join(".".join(each) for each in found)
        raise InputError(
            f"{path}: expected the weights of one network, but {names} hold weights; save the right one alone, if you"
            f' trust the file: loaded = torch.load("{path.name}", map_location="cpu", weights_only=False);'
            f' torch.save(loaded["{place[0]}"], "{path.stem}-weights.pt")'
        )
    if others:
        left = ", ".join(".".join(each) for each in others)
        note(f"{path}: the weights are those in {'.'.join(place)}; those in {left} are left")
    for key in place:
        loaded = loaded[key]
    return _tensors(loaded)


def ranks(place: Iterable[str]) -> list[int]:
    """The preference for the weights that are named by these words, the lower the better; alike are equal."""
    return [_rank(word) for word in place]


def _candidates(value: Mapping[Any, Any], place: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The places of state_dicts. One with others inside is none itself: {"state_dict": {...}, "queue": a tensor}."""
    inner = [
        found
        for key, entry in value.items()
        if isinstance(key, str) and isinstance(entry, Mapping) and len(place) < _DEEPEST and _may_hold_weights(key)
        for found in _candidates(entry, (*place, key))
    ]
    yield from inner
    if not inner and any(tensor.ndim > 1 for tensor in _tensors(value).values()):
        yield place


def _may_hold_weights(key: str) -> bool:
    """Whether the entry is not of an optimizer and the like, nor what modules keep in a state_dict beside tensors."""
    return not key.endswith("_extra_state") and not any(word in key.lower() for word in _NO_WEIGHTS)


def _tensors(value: Mapping[Any, Any]) -> dict[str, torch.Tensor]:
    return {key: entry for key, entry in value.items() if isinstance(key, str) and isinstance(entry, torch.Tensor)}


def _rank(word: str) -> int:
    if word in ENTRIES:
        return ENTRIES.index(word)
    if "ema" in word.lower().split("_"):
        return 0
    return len(ENTRIES) + any(follower in word.lower() for follower in _FOLLOWERS)
