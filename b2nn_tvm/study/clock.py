"""The time that a study takes: planned from one training step, corrected by the time of finished work."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from b2nn_tvm.mixbin.training.recipes.step_time import duration
from b2nn_tvm.progress import Note

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
        amount = duration(self.left())
        self._note(f"{words}; about {amount} left with {self._size} process{'es' * (self._size > 1)}")
