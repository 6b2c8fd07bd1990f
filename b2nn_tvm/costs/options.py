"""What a choice is made of: options, each of which is a layer in a precision other than float.

    layer1.0.conv1          the layer becomes binary, as in all choices between binary and float
    layer1.0.conv1@int8     the layer becomes int8

A choice names at most one option of each layer; layers of which it names none stay float.
"""

from __future__ import annotations

from collections.abc import Iterable

from b2nn_tvm.costs.precisions import BITS
from b2nn_tvm.errors import InputError

PLAIN = "binary"  # the precision of an option that is the name of a layer alone
_AT = "@"


def option(layer: str, precision: str) -> str:
    """The option of this layer in this precision, one of costs.precisions.BITS."""
    return layer if precision == PLAIN else f"{layer}{_AT}{precision}"


def layer_of(option: str) -> str:
    """The layer of an option."""
    return _split(option)[0]


def precision_of(option: str) -> str:
    """The precision of an option."""
    return _split(option)[1]


def precisions_of(choice: Iterable[str]) -> dict[str, str]:
    """The precision of each layer that a choice names; raises InputError where it names two options of a layer."""
    found: dict[str, str] = {}
    for layer, precision in map(_split, choice):
        if found.setdefault(layer, precision) != precision:
            raise InputError(f"a layer has one precision, but {layer} is to be {found[layer]} and {precision}")
    return found


def _split(option: str) -> tuple[str, str]:
    layer, _, precision = option.rpartition(_AT)
    return (layer, precision) if layer and precision in BITS else (option, PLAIN)
