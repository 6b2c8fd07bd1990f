"""Functions with gradients of their own (torch.autograd.Function), as binary networks use them, in a graph.

torch reports only the operators in their forward pass, which would lose their gradients.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import CheckpointFunction

_LOCK = threading.RLock()


class OwnGradient:
    """``function.apply`` as a target of torch.fx: a callable that has a name and can be pickled."""

    def __init__(self, function: type[torch.autograd.Function]) -> None:
        self.function = function
        self.__name__, self.__module__ = function.__name__, function.__module__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        apply: Callable[..., Any] = self.function.apply
        return apply(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OwnGradient) and other.function is self.function

    def __hash__(self) -> int:
        return hash(self.function)

    def __reduce__(self) -> tuple[Any, ...]:
        return OwnGradient, (self.function,)


def checkpointed(function: OwnGradient, args: tuple[Any, ...]) -> Callable[[], Any] | None:
    """The call of a part of a network that torch.utils.checkpoint runs twice to save memory; None for other functions.

    It is one of ``apply (part, preserve_rng_state, *inputs)``, whose gradient is the part's own.
    """
    if function.function is not CheckpointFunction:
        return None
    part, _, *inputs = args
    return partial(part, *inputs)


@contextmanager
def reporting(
    report: Callable[[OwnGradient, tuple[Any, ...], dict[str, Any], Callable[[], Any]], Any],
) -> Iterator[None]:
    """Inside this context each ``apply`` calls ``report(function, args, kwargs, run)`` and gives what that returns.

    One thread at a time. torch has no hook for it: the method is replaced, as torch.fx replaces nn.Module.__call__.
    """
    with _LOCK:
        original = vars(torch.autograd.Function)["apply"]

        def apply(function: type[torch.autograd.Function], *args: Any, **kwargs: Any) -> Any:
            return report(
                OwnGradient(function), args, kwargs, lambda: original.__get__(None, function)(*args, **kwargs)
            )

        torch.autograd.Function.apply = classmethod(apply)  # type: ignore[assignment]
        try:
            yield
        finally:
            torch.autograd.Function.apply = original  # type: ignore[method-assign]
