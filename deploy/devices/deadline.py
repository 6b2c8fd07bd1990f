"""Calls that may never return, bounded in time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


def call_within(seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call ``function``, and return what it returns or raise what it raises.

    Raises TimeoutError where the call takes longer than ``seconds``. The call then goes on in its thread, which does
    not keep the process from ending.
    """
    outcome: list[tuple[Any, BaseException | None]] = []

    def call() -> None:
        try:
            outcome.append((function(*arguments), None))
        except BaseException as error:  # noqa: BLE001 - raised again below, in the thread that waits
            outcome.append((None, error))

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise TimeoutError(f"no answer for {seconds:g} s")
    value, error = outcome[0]
    if error is not None:
        raise error
    return value
