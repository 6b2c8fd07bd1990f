"""The search as Python code calls it: its progress is drawn on stderr unless the caller says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from b2nn_tvm.cli.draw_progress import progress
from b2nn_tvm.cli.output import print_note
from b2nn_tvm.loop import search as quiet

P = ParamSpec("P")
R = TypeVar("R")


def with_bars(engine: Callable[P, R]) -> Callable[P, R]:
    """``engine``, a function with the keywords ``progress`` and ``note``, with bars and notes on stderr.

    A ``progress`` that is given takes the place of the bars; None is silent. So it is with ``note``.
    """

    @wraps(engine)
    def run(*arguments: P.args, **keywords: P.kwargs) -> R:
        keywords.setdefault("note", print_note)
        if "progress" in keywords:
            return engine(*arguments, **keywords)
        with progress() as bars:
            keywords["progress"] = bars
            return engine(*arguments, **keywords)

    return run


search = with_bars(quiet.search)
