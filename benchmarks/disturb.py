"""A neighbour: a process that keeps one core busy for a share of the time, in stretches of random length."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Iterator

LONGEST_S = 0.4  # of a busy stretch and the pause behind it, together


@contextlib.contextmanager
def neighbour(share: float) -> Iterator[None]:
    """Keep one core busy for this ``share`` of the time, from 0 (nobody is started) to 1."""
    if share <= 0:
        yield
        return
    process = subprocess.Popen([sys.executable, __file__, str(share)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def disturb(share: float) -> None:
    """Compute and sleep in turns, for ever."""
    draw = random.Random(0)
    while True:
        length = draw.uniform(0.05, LONGEST_S)
        end = time.monotonic() + share * length
        while time.monotonic() < end:
            sum(number * number for number in range(1000))
        time.sleep((1 - share) * length)


if __name__ == "__main__":
    disturb(float(sys.argv[1]))
