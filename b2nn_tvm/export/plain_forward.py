"""A forward pass as torch.export follows it, and in float32: x.data is x.detach(), and autocast does nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.amp.autocast_mode import autocast
from torch.overrides import TorchFunctionMode

_LOCK = threading.RLock()


@contextmanager
def plain_forward() -> Iterator[None]:
    """Inside this context forward passes are plain, one thread at a time.

    torch has no hook for autocast: the methods by which it is entered and left are replaced. Kernels of libraries are
    in float32 whatever a network asks for, and torch translates no convolution of bfloat16 to ONNX.
    """
    with _LOCK:
        original = autocast.__enter__, autocast.__exit__
        autocast.__enter__, autocast.__exit__ = (lambda self: self), (lambda self, *error: None)  # type: ignore[method-assign]
        try:
            with _Detached():
                yield
        finally:
            autocast.__enter__, autocast.__exit__ = original  # type: ignore[method-assign]


class _Detached(TorchFunctionMode):
    """While it is active, reading ``data`` of a tensor detaches it: torch.export takes the former for a constant."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func == torch.Tensor.data.__get__:  # type: ignore[attr-defined]
            return args[0].detach()
        return func(*args, **(kwargs or {}))
