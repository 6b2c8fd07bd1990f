"""The list of the operators that torch.onnx can translate, made once for all exports of a process.

torch.onnx asks onnxscript for it at every export, and onnxscript reads the Python sources of some five hundred
functions each time: about half a second, which is most of the export of a small network.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def operators_kept() -> Iterator[None]:
    """Within the context torch.onnx is given the list that it was given before.

    The list is replaced where torch 2.13 looks it up; a torch that looks elsewhere makes its own each time.
    """
    from torch.onnx._internal.exporter import _registration

    source = getattr(_registration, "onnxscript_apis", None)
    listed = getattr(source, "get_torchlib_ops", None)
    if source is None or listed is None:
        yield
        return
    source.get_torchlib_ops = functools.partial(_list, listed)
    try:
        yield
    finally:
        source.get_torchlib_ops = listed


@functools.cache
def _list(listed: Callable[[], list[Any]]) -> list[Any]:
    return listed()
