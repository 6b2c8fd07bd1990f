"""Load a checkpoint into a network, or say exactly in what they differ."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import torch

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.checkpoint.classifier_head import is_of_a_head, other_head, own_head
from b2nn_tvm.loop.checkpoint.find_weights import find_weights
from b2nn_tvm.loop.checkpoint.fit_names import FittedNames, fit_names
from b2nn_tvm.loop.checkpoint.fold_weights import fold_weights
from b2nn_tvm.loop.checkpoint.read_checkpoint import read_checkpoint
from b2nn_tvm.progress import Note


def load_weights(model: torch.nn.Module, path: Path, *, classes: int, ignore_head: bool, note: Note) -> None:
    """Load the checkpoint at ``path`` into ``model``, which has ``classes`` scores.

    With ``ignore_head`` the head of the model stays as it is, whatever the checkpoint has there. ``note`` is told what
    of the file was left. Raises InputError where the file is no checkpoint, or does not fit: it then names the missing
    and the unknown weights, those of another shape, the other number of classes, or several networks that would fit.
    """
    own = {name: tensor for name, tensor in model.state_dict().items() if isinstance(tensor, torch.Tensor)}
    fitted = fit_names(fold_weights(find_weights(read_checkpoint(path), path, note=note), own), own)
    _refuse_rivals(fitted, path)
    weights = {name: _like(tensor, own[name], path, name) for name, tensor in fitted.weights.items()}
    unknown = list(fitted.unknown)
    left = _head(own, weights, path, classes=classes, ignored=ignore_head)
    if ignore_head:
        unknown = [name for name in unknown if not is_of_a_head(fitted.unknown[name], left)]
        note(f"{path}: the head is not the checkpoint's: {', '.join(left)} start anew and need training")
    weights = {name: tensor for name, tensor in weights.items() if name not in left}
    missing = [name for name in own if name not in weights and name not in left and not _is_counter(name)]
    differing = [name for name, tensor in weights.items() if tensor.shape != own[name].shape]
    problems = [
        *_lacking(missing, own, [*unknown, *fitted.outside]),
        *_listed("has unknown", unknown),
        *_listed("has other shapes for", [_shapes(name, weights[name], own[name]) for name in differing]),
    ]
    if problems:
        raise InputError(f"{path}: the checkpoint does not fit {type(model).__name__}: it {', and '.join(problems)}")
    _note_outside(fitted, path, note)
    model.load_state_dict({**model.state_dict(), **weights})


def _head(
    own: Mapping[str, torch.Tensor],
    weights: Mapping[str, torch.Tensor],
    path: Path,
    *,
    classes: int,
    ignored: bool,
) -> tuple[str, ...]:
    """The names of the head that stays as it is; none unless it is to be ``ignored``."""
    other = other_head(own, weights, classes)
    if ignored:
        last = own_head(own, classes)
        if not last and other is None:
            raise InputError(
                f"{path}: found no layer with {classes} outputs in the network, so there is no head to ignore"
            )
        return tuple(dict.fromkeys((*last, *(other.names if other else ()))))
    if other is None:
        return ()
    keep = (
        f", or keep its {other.classes} scores with --classes {other.classes} if the data's classes have the same"
        " numbers there"
        if other.classes > classes
        else ""
    )
    raise InputError(
        f"{path}: the checkpoint is for {other.classes} classes, by {', '.join(other.names[:2])}, but the network has"
        f" {classes}, as the data: train a new head with --ignore-head{keep}"
    )


def _like(tensor: torch.Tensor, own: torch.Tensor, path: Path, name: str) -> torch.Tensor:
    """The tensor in the shape of ``own`` where both hold one number, which older versions of torch stored as [1]."""
    if tensor.is_quantized or tensor.is_meta or tensor.layout != torch.strided:
        raise InputError(f"{path}: {name} is quantized, sparse or without values; expected the float weights")
    if own.is_floating_point() and not tensor.is_floating_point():
        raise InputError(f"{path}: {name} holds {tensor.dtype}, as quantized networks do; expected the float weights")
    return tensor.reshape(own.shape) if tensor.numel() == own.numel() == 1 else tensor


def _lacking(missing: Sequence[str], own: Collection[str], unknown: Sequence[str]) -> list[str]:
    named = []
    for name in missing[:3]:
        close = difflib.get_close_matches(name, unknown, n=1, cutoff=0.6)
        named.append(f"{name} (perhaps its {close[0]})" if close else name)
    return _listed(f"lacks {len(missing)} of {len(own)}:", [*named, *missing[3:]])


def _listed(what: str, names: Sequence[str]) -> list[str]:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return [f"{what} {', '.join(names[:3])}{more}"] if names else []


def _shapes(name: str, tensor: torch.Tensor, own: torch.Tensor) -> str:
    return f"{name} ({list(tensor.shape)} instead of {list(own.shape)})"


def _is_counter(name: str) -> bool:
    return name.rpartition(".")[2] in ("num_batches_tracked", "_extra_state")


def _refuse_rivals(fitted: FittedNames, path: Path) -> None:
    if fitted.rivals:
        raise InputError(
            f"{path}: expected the weights of one network, but those under {', '.join([fitted.prefix, *fitted.rivals])}"
            " would all fit; give a file with the right ones alone"
        )


def _note_outside(fitted: FittedNames, path: Path, note: Note) -> None:
    if fitted.outside:
        (others,) = _listed("leaves", fitted.outside)
        taken = f"what is under {fitted.prefix}" if fitted.prefix else "the weights of the network"
        note(f"{path}: takes {taken} and {others}")
