"""The progress of long work: one protocol between the code that does the work and the code that shows it."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from b2nn_tvm.errors import InputError

# Takes a remark that should stay readable after the work, such as that a board was lost and another one goes on.
Note = Callable[[str], None]


class Progress(Protocol):
    """A function that is called now and then while work goes on: ``done`` of ``total`` units of the phase are finished.

    ``detail`` says in words how the phase goes, such as "loss 0.123, accuracy 97.1%"; it is empty where there is
    nothing new to say, and the last detail still holds.
    """

    def __call__(self, phase: str, done: int, total: int, detail: str = "") -> None: ...


def silent(phase: str, done: int, total: int, detail: str = "") -> None:
    """A Progress that shows nothing."""


def as_progress(callback: Callable[..., Any] | None) -> Progress:
    """The Progress for the ``callback`` of a user: None is silent, and a function of (phase, done, total) gets no
    details.

    A fourth parameter gets the details if it is called ``detail`` or has no default. Raises InputError where
    ``callback`` is no function of three or four arguments.
    """
    if callback is None:
        return silent
    if not callable(callback):
        raise InputError(
            f"progress: expected a function of (phase, done, total, detail) or None for silence, not {callback!r}; bars"
            " are drawn by the function that b2nn_tvm.cli.draw_progress.progress() gives inside a with statement"
        )
    if _takes_details(callback):
        return callback
    return lambda phase, done, total, detail="": callback(phase, done, total)


def part_of(progress: Progress, phase: str) -> Progress:
    """The progress of work that is one phase of larger work: all of its own phases are reported as ``phase``."""
    return lambda _phase, done, total, detail="": progress(phase, done, total, detail)


class CombinedProgress:
    """The progress of parts that run side by side, shown as hundredths of one ``phase``.

    It is itself a Progress, whose phases are the names of the parts; ``weights`` says how large each of them is.
    Details come with the name of their part, where there are several. Threads may call it at the same time;
    ``progress`` is called by one at a time.
    """

    def __init__(self, progress: Progress, phase: str, weights: Mapping[str, float]) -> None:
        self._progress, self._phase, self._weights = progress, phase, weights
        self._shares = dict.fromkeys(weights, 0.0)
        self._lock = threading.Lock()

    def __call__(self, phase: str, done: int, total: int, detail: str = "") -> None:
        with self._lock:
            self._shares[phase] = done / max(1, total)
            finished = sum(self._weights[name] * share for name, share in self._shares.items())
            share = finished / sum(self._weights.values())
            named = f"{phase}: {detail}" if detail and len(self._weights) > 1 else detail
            self._progress(self._phase, round(100 * share), 100, named)


def _takes_details(callback: Callable[..., Any]) -> bool:
    """Whether ``callback`` takes a fourth argument, the details; raises InputError where it does not take three
    either.
    """
    try:
        signature = inspect.signature(callback)
    except (TypeError, ValueError):  # some functions written in C do not tell their parameters
        return True
    try:
        signature.bind("phase", 0, 1, "detail")
    except TypeError:
        try:
            signature.bind("phase", 0, 1)
        except TypeError as error:
            raise InputError(
                f"progress: expected a function of (phase, done, total, detail), but {callback!r} takes"
                f" {signature}: {error}"
            ) from None
        return False
    places = list(signature.parameters.values())[:4]
    if any(place.kind is inspect.Parameter.VAR_POSITIONAL for place in places):
        return True
    return places[3].name == "detail" or places[3].default is inspect.Parameter.empty
