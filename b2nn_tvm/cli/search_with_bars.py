"""The search as Python code calls it: its progress is drawn on stderr unless the caller says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from b2nn_tvm.loop.search import search as search

P = ParamSpec("P")
R = TypeVar("R")


def with_bars(engine: Callable[P, R]) -> Callable[P, R]:
    """``engine``, a function with the keywords ``progress`` and ``note``, with bars and notes on stderr.

    A ``progress`` that is given takes the place of the bars; None is silent. So it is with ``note``.
    """
    from b2nn_tvm.cli.draw_progress import progress
    from b2nn_tvm.cli.output import print_note

    @wraps(engine)
    def run(*arguments: P.args, **keywords: P.kwargs) -> R:
        keywords.setdefault("note", print_note)
        if "progress" in keywords:
            return engine(*arguments, **keywords)
        with progress() as bars:
            keywords["progress"] = bars
            return engine(*arguments, **keywords)

    return run


@cache
def _search() -> Callable[..., Any]:
    from b2nn_tvm.loop.search import search as engine

    return with_bars(engine)


def __getattr__(name: str) -> Any:
    """``search``, which is made on first use: this module is imported without torch."""
    if name == "search":
        return _search()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
