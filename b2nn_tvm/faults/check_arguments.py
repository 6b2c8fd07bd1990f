"""Check the types of what a user's own code hands to a function, so that a mistake there is told as what it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from b2nn_tvm.errors import InputError

PATH = str | os.PathLike[str]

_WORDS = {int: "a whole number", float: "a number", str: "a word", PATH: "a path", NoneType: "None"}
_NUMBERS: Mapping[Any, type] = {int: Integral, float: Real}


def check_arguments(hints: Mapping[str, Any], given: Mapping[str, object], **hint_at: str) -> None:
    """Raise InputError for the first of the values ``given`` whose type is not that of its name in ``hints``.

    Hints are classes, unions of them, or a Sequence or Mapping of anything; a float may be any number, an int any whole
    number, and True is neither. ``hint_at`` says more to a name: "make one with onnx.save".
    """
    for name, value in given.items():
        if name in hints and not _fits(value, hints[name]):
            more = f"; {hint_at[name]}" if name in hint_at else ""
            raise InputError(f"{name}: expected {_words(hints[name])}, but got {_shown(value)}{more}")


def _fits(value: object, hint: Any) -> bool:
    if _is_union(hint):
        return any(_fits(value, each) for each in get_args(hint))
    kind = get_origin(hint) or hint
    if kind in _NUMBERS:
        return isinstance(value, _NUMBERS[kind]) and not isinstance(value, bool)
    return isinstance(value, kind) and (kind is str or not isinstance(value, str))


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType)


def _words(hint: Any) -> str:
    """ "a path or None" for str | os.PathLike[str] | None."""
    if not _is_union(hint):
        kind = get_origin(hint) or hint
        return _WORDS.get(kind) or f"a {kind.__name__}"
    each = list(get_args(hint))
    if set(get_args(PATH)) <= set(each):
        each = [PATH, *(kind for kind in each if kind not in get_args(PATH))]
    words = [_WORDS[PATH] if kind == PATH else _words(kind) for kind in each]
    return ", ".join(words[:-1]) + f" or {words[-1]}" if len(words) > 1 else words[0]


def _shown(value: object) -> str:
    """The value where it is short, and its type."""
    if value is None:
        return "None"
    text = repr(value) if isinstance(value, (str, int, float, tuple, list, dict)) else ""
    kind = type(value).__name__ if not isinstance(value, type) else f"the class {value.__name__}"
    return f"{text} ({kind})" if 0 < len(text) <= 60 and "\n" not in text else kind
