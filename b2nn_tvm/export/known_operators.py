"""The list of the operators that torch.onnx can translate, made once for all exports of a process.

torch.onnx asks onnxscript for it at every export, and onnxscript reads the Python sources of some five hundred functions
each time: half a second, which is most of the export of a small network.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_kept: Callable[[], list[Any]] | None = None


@contextmanager
def operators_kept() -> Iterator[None]:
    """Within the context torch.onnx is given the list that it was given before.

    The list is found where torch 2.5 to 2.13 looks it up; where a torch looks elsewhere, nothing is kept.
    """
    global _kept
    from torch.onnx._internal.exporter import _registration

    source = getattr(_registration, "onnxscript_apis", None)
    listed = getattr(source, "get_torchlib_ops", None)
    if listed is None:
        yield
        return
    _kept = _kept or functools.cache(listed)
    source.get_torchlib_ops = _kept
    try:
        yield
    finally:
        source.get_torchlib_ops = listed
