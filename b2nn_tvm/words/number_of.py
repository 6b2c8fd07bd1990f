"""A number with what it counts, such as "1 layer" and "2 layers"."""

from __future__ import annotations


def number_of(count: int, one: str, several: str | None = None) -> str:
    """``count`` with the words for ``one`` thing, or with those for ``several``, which are ``one`` with an s by
    default.
    """
    return f"{count} {one if count == 1 else several or one + 's'}"
