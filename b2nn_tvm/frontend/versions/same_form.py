"""Whether a node that was written for one opset can stand in a graph of a newer one as it is."""

from __future__ import annotations

from functools import cache

import onnx

_OTHER_MEANING = frozenset({"GroupNormalization"})  # scales per group until 20, per channel since


@cache
def keeps_its_form(operator: str, old: int, new: int) -> bool:
    """Whether a node of one of ONNX's own operators of opset ``old`` means the same in opset ``new``, which may add
    types, optional inputs and attributes. Operators that one of the two opsets does not define do not.
    """
    try:
        before, after = (onnx.defs.get_schema(operator, number, "") for number in (old, new))
    except onnx.defs.SchemaError:
        return False
    if before.since_version == after.since_version:
        return True
    if operator in _OTHER_MEANING:
        return False
    counts = (
        after.min_input <= before.min_input <= before.max_input <= after.max_input
        and after.min_output <= before.min_output <= before.max_output <= after.max_output
    )
    defaults = [{name: each.default_value for name, each in schema.attributes.items()} for schema in (before, after)]
    return counts and all(
        name in defaults[1] and _value(defaults[1][name]) == _value(default) for name, default in defaults[0].items()
    )


def _value(attribute: onnx.AttributeProto) -> bytes:
    content: bytes = attribute.SerializeToString()
    return content
