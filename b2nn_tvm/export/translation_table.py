"""Torch's table of ONNX translations is made once per process, not once per export.

What torch does: each ``torch.onnx.export`` calls ``ONNXRegistry.from_torchlib``, which parses the Python source of five
hundred functions of onnxscript to learn their signatures.

Why we need it: this takes longer than all the rest of the export of a small network, and gives the same table each
time. A search exports dozens of networks.

When it breaks: look in ``torch/onnx/_internal/exporter/_compat.py`` for the table that an export begins with. Should
torch keep its table itself, delete this file.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from torch.onnx._internal.exporter._registration import ONNXRegistry

_LOCK = threading.Lock()
_FROM_TORCHLIB = ONNXRegistry.__dict__["from_torchlib"]


@contextmanager
def kept_translation_table() -> Iterator[None]:
    """Within this context each export begins with a copy of one table; one thread at a time."""
    with _LOCK:
        ONNXRegistry.from_torchlib = classmethod(_copied_table)  # type: ignore[assignment]
        try:
            yield
        finally:
            ONNXRegistry.from_torchlib = _FROM_TORCHLIB  # type: ignore[method-assign]


def _copied_table(_registry: type[ONNXRegistry], *, opset_version: int) -> ONNXRegistry:
    """A table that its export may extend."""
    copied = copy.copy(_table(opset_version))
    copied.functions = {target: list(translations) for target, translations in copied.functions.items()}
    return copied


@cache
def _table(opset_version: int) -> ONNXRegistry:
    table: ONNXRegistry = _FROM_TORCHLIB.__get__(None, ONNXRegistry)(opset_version=opset_version)
    return table
