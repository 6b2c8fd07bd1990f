"""The time that a study takes: planned from one training step, corrected by the time of finished work."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.data import DataBundle
from b2nn_tvm.mixbin.training.memory_format import laid_out, training_layout
from b2nn_tvm.progress import Note

BATCH = 64
EVERY_S = 180.0  # seconds between two notes on the time left


class Clock:
    """The planned seconds of each piece of work; ``size`` pieces run side by side.

    ``note``, if given, is told the time left now and then.
    """

    def __init__(self, size: int, note: Note | None) -> None:
        self._size, self._note = size, note
        self._planned: dict[str, float] = {}
        self._done: set[str] = set()
        self._begun = self._told = time.monotonic()
        self._lock = threading.RLock()
        self.later = 0.0  # seconds of work that has no names yet

    def plan(self, seconds: Mapping[str, float]) -> None:
        """Add planned work, its seconds by name."""
        with self._lock:
            self._planned |= seconds

    def drop(self, name: str) -> None:
        """Take work that was found on disk out of the plan."""
        with self._lock:
            self._planned.pop(name, None)

    def done(self, name: str) -> None:
        """Count work that was computed now, and tell the time left now and then."""
        with self._lock:
            self._done.add(name)
            if time.monotonic() - self._told < EVERY_S:
                return
            self._told = time.monotonic()
            self.tell(f"{len(self._done)} of {len(self._planned)} known pieces of work are done")

    def left(self) -> float:
        """The seconds left: the planned seconds, times the ratio of spent to planned time of finished work."""
        with self._lock:
            finished = sum(self._planned[name] for name in self._done)
            open_seconds = sum(self._planned.values()) - finished + self.later
        spent = (time.monotonic() - self._begun) * self._size
        ratio = spent / finished if finished > 0.02 * open_seconds else 1.0
        return open_seconds * ratio / self._size

    def tell(self, words: str) -> None:
        """Tell ``note``, if there is one, ``words`` and the time left."""
        if self._note is None:
            return
        seconds = self.left()
        amount = (
            f"{seconds / 3600:.1f} hours"
            if seconds > 5400
            else f"{seconds / 60:.0f} minutes"
            if seconds > 90
            else f"{seconds:.0f} seconds"
        )
        self._note(f"{words}; about {amount} left with {self._size} process{'es' * (self._size > 1)}")


def seconds_per_image(model: nn.Module, bundle: DataBundle) -> float:
    """The seconds that one training image takes on one thread: the quicker of two steps, forward and backward."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        layout = training_layout(model)
        model = laid_out(model.train(), layout)
        images = torch.zeros(BATCH, *bundle.input_shape).contiguous(memory_format=layout)
        labels = torch.zeros(BATCH, dtype=torch.long)
        times = []
        for _ in range(3):  # the first step makes kernels, so it does not count
            begun = time.perf_counter()
            torch.autograd.backward(F.cross_entropy(model(images), labels))
            times.append(time.perf_counter() - begun)
        return min(times[1:]) / BATCH
    finally:
        torch.set_num_threads(threads)
