"""Replace converters of TVM's ONNX importer.

What TVM does: ``onnx_frontend._get_convert_map()`` makes the table {op type: class with ``get_converter(opset)``}
afresh, each time that the importer looks up a node. A converter is called as (block builder, inputs, attributes,
parameters).

Why we need it: some operators are unknown to TVM, some are needed in another form, and TVM's errors do not name the
node; TVM has no way to register a converter.

When it breaks: look in ``relax/frontend/onnx/onnx_frontend.py`` for the function that looks up the class of an
operator, and replace that function. Should TVM get a registry, use it and delete this file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from tvm.relax.frontend.onnx import onnx_frontend

_LOCK = threading.Lock()


class OnnxConverter(Protocol):
    """An entry of the importer's table."""

    def get_converter(self, opset: int) -> Callable[..., Any]:
        """The function that converts a node of this operator in a model of this opset."""


ConverterTable = Mapping[str, OnnxConverter]


def stock_converters() -> ConverterTable:
    """TVM's own converters by op type."""
    table: ConverterTable = onnx_frontend._get_convert_map()
    return table


@contextmanager
def replaced_converters(make_table: Callable[[ConverterTable], ConverterTable]) -> Iterator[None]:
    """Within this context the importer uses the table that ``make_table`` makes from TVM's table; one thread at a
    time.
    """
    with _LOCK:
        original = onnx_frontend._get_convert_map
        table = make_table(original())
        onnx_frontend._get_convert_map = lambda: table
        try:
            yield
        finally:
            onnx_frontend._get_convert_map = original
