"""Refuse a network in which a value has no elements, such as a convolution whose kernel is larger than its image."""

from __future__ import annotations

from tvm import relax

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.relax_query import calls, op_name, shape


def refuse_empty(function: relax.Function) -> None:
    """Raise UnsupportedError where a tensor has a dimension below 1, with the operator that computes it, or where a
    constant output is empty.
    """
    for _, call in calls(function):
        sizes = shape(call)
        if min(sizes, default=1) < 1:
            name = op_name(call).rpartition(".")[2] or "an operator"
            raise UnsupportedError(
                f"the result of {name} would have the shape {list(sizes)}, which has no elements: a kernel is larger "
                "than its image, or a slice is empty; use larger inputs; where they are open, --input-shape "
                "NAME=1x3x224x224 fixes them"
            )
    result = function.body.body
    for output in result.fields if isinstance(result, relax.Tuple) else [result]:
        if min(shape(output), default=1) < 1:
            raise UnsupportedError(f"an output of the shape {list(shape(output))} has no elements; leave it out")
