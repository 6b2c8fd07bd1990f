"""The kinds of functions in TVM's FuseOps: relax's OpPatternKind, which Python cannot import by name."""

from __future__ import annotations

from enum import IntEnum

ATTRIBUTE = "op_pattern"


class OpPattern(IntEnum):
    """The kind of a function, which decides about its fusion; the values come from
    ``include/tvm/relax/op_attr_types.h``.
    """

    ELEMENTWISE = 0
    BROADCAST = 1
    OUT_ELEMENTWISE_FUSABLE = 4  # a convolution: elementwise functions may follow it
    OPAQUE = 8
