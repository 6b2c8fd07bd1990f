"""SIGTERM and SIGHUP end a command as Ctrl-C does: what it has begun is tidied up, and what is finished stays."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Ended(KeyboardInterrupt):
    """The system, a batch queue or a terminal that was closed asked the command to end by this signal."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.status = 128 + number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Inside, the signals raise Ended in the main thread. One that is ignored, as by nohup, stays so; a second one ends
    the process at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()
    before: dict[signal.Signals, Any] = {
        number: signal.getsignal(number) for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL
    }

    def end(number: int, _frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        if os.getpid() != owner:  # a child that was forked
            os.kill(os.getpid(), number)
        raise Ended(number)

    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
