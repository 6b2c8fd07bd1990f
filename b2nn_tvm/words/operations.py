"""What a kernel does in words for a reader: its operations as passes note them have TVM's names."""

from __future__ import annotations

from collections.abc import Sequence

_WORDS = {
    "adaptive_avg_pool1d": "average pooling",
    "adaptive_avg_pool2d": "average pooling",
    "adaptive_max_pool2d": "max pooling",
    "avg_pool1d": "average pooling",
    "avg_pool2d": "average pooling",
    "concatenate": "concatenation",
    "max_pool1d": "max pooling",
    "max_pool2d": "max pooling",
    "maximum": "lower limit",
    "minimum": "upper limit",
    "nn_pad": "pad",
    "pool_bits": "pooling of signs",
    "relu": "ReLU",
    "reshape": "another shape",
    "strided_slice": "slice",
}


def in_words(operations: Sequence[str]) -> str:
    """The operations in their order, such as "max pooling + scale"."""
    return " + ".join(_WORDS.get(name, name.replace("_", " ")) for name in operations)


def name_shown(name: str, op: str, operations: Sequence[str]) -> str:
    """A layer's name; of what belongs to no layer, whose ``name`` is made of its ``op`` and its step's number, the
    ``operations`` in words: "max pooling + scale, step 9".
    """
    number = name.removeprefix(f"{op}#")
    return f"{in_words(operations)}, step {number}" if number != name and number.isdecimal() else name
