"""Checkpoints in every form in which trainings leave them."""

from __future__ import annotations

import contextlib
import re
import tempfile
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

TITLE = "Forms of checkpoints"
ABOUT = """
The weights of C-ResNet-20 for 10 classes, written as trainings and programs write them (by torch, safetensors and
Lightning themselves), and what is easily taken for such a file. `--checkpoint` reads each of them into a new network.
It is *taken* only if afterwards all weights and statistics of the network are those that were written. Where an error
offers two lines of Python, these are run, and their file is read as well: *its lines* says what became of it.
"""
COLUMNS = ("form", "outcome", "its lines", "reason")
TAKEN, NOTED, REFUSED, WRONG, RAW = OUTCOMES = ("taken", "taken with a note", "refused", "wrong", "raw error")
CLASSES = 10

Write = Callable[["nn.Module", Path], Path]

_LINES = re.compile(r"(?:(?:model|loaded) = |from )\S+.*; \S+\(.*-weights\.pt\"\)$")


def names() -> list[str]:
    """The forms."""
    return list(_forms())


def row(name: str) -> dict[str, object]:
    """What becomes of a checkpoint of the form ``name``."""
    write, classes, options = _forms()[name]
    net = _network(classes)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), contextlib.chdir(folder):
        warnings.simplefilter("ignore")  # of the writers
        path = write(net, Path(folder))
        outcome, reason = _read(path, net, options)
        found = {"outcome": outcome, "reason": reason.replace(f"{folder}/", "")}
        if lines := _LINES.search(reason):
            return found | {"its lines": _follow(lines[0], net, options)}
        return found


@cache
def _forms() -> Mapping[str, tuple[Write, int, Mapping[str, object]]]:
    """Of each form: who writes it, for how many classes, and the options with which it is read."""
    import torch

    from tests.support.surveys.checkpoint_forms.lightning_files import LIGHTNING_FILES
    from tests.support.surveys.checkpoint_forms.saved_objects import OBJECTS
    from tests.support.surveys.checkpoint_forms.written_files import FILES

    def saved(make: Callable[[nn.Module], object]) -> Write:
        def write(net: nn.Module, folder: Path) -> Path:
            torch.save(make(net), folder / "float.pt")
            return folder / "float.pt"

        return write

    plain = {name: saved(make) for name, make in OBJECTS.items()} | FILES | LIGHTNING_FILES
    state = plain["a state_dict"]
    return {
        **{name: (write, CLASSES, {}) for name, write in plain.items()},
        "20 classes": (state, 20, {}),
        "20 classes, --classes 20": (state, 20, {"classes": 20}),
        "20 classes, --ignore-head": (state, 20, {"ignore_head": True}),
        "10 classes, --ignore-head": (state, CLASSES, {"ignore_head": True}),
        "no head, --ignore-head": (plain["no head"], CLASSES, {"ignore_head": True}),
        "head under another name, --ignore-head": (plain["head under another name"], 20, {"ignore_head": True}),
    }


def _network(classes: int, seed: int = 0) -> nn.Module:
    """A network as after a training: none of its weights and statistics has the value with which it starts."""
    import torch

    from b2nn_tvm import models

    torch.manual_seed(seed)
    net = models.get("cresnet20")(classes=classes).eval()
    with torch.no_grad():
        for tensor in net.state_dict().values():
            if tensor.is_floating_point():
                tensor.mul_(0.9).add_(torch.rand_like(tensor), alpha=0.02)
    return net


@cache
def _data() -> object:
    from b2nn_tvm import data

    return data.get("digits")


def _read(path: Path, net: nn.Module, options: Mapping[str, object]) -> tuple[str, str]:
    """The outcome and the reason."""
    from b2nn_tvm.errors import B2nnError
    from b2nn_tvm.loop.sources import load_model

    notes: list[str] = []
    try:
        read = load_model("cresnet20", _data(), checkpoint=path, seed=1, note=notes.append, **options)
    except B2nnError as error:
        return REFUSED, str(error)
    except Exception as error:  # noqa: BLE001 - this is what the survey is to find
        return RAW, f"{type(error).__name__}: {error}"
    kept = bool(options.get("ignore_head"))
    if not _same(read.state_dict(), net.state_dict(), without_head=kept):
        return WRONG, "; ".join(notes)
    return (NOTED if notes else TAKEN), "; ".join(notes)


def _same(read: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor], *, without_head: bool) -> bool:
    """Whether all weights are the same, to the precision of bfloat16; the head must differ if it is left out."""
    import torch

    def equal(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
        return ours.shape == theirs.shape and torch.allclose(ours, theirs, rtol=1e-2, atol=1e-6)

    found = [equal(read[name], wanted[name]) for name in read if read[name].is_floating_point()]
    if without_head:  # the last layer's weight and bias
        return all(found[:-2]) and not any(found[-2:])
    return all(found)


def _follow(lines: str, net: nn.Module, options: Mapping[str, object]) -> str:
    """What becomes of the file that the two lines of an error write into the working folder."""
    import torch

    try:
        exec("\n".join(lines.split("; ")), {"torch": torch})
    except Exception as error:  # noqa: BLE001 - this is what the survey is to find
        return f"{type(error).__name__}: {error}"
    outcome, reason = _read(Path(re.search(r"[^\"/]+-weights\.pt", lines)[0]), net, options)
    return outcome if outcome in (TAKEN, NOTED) else f"{outcome}: {reason}"
