"""How precisions are shown, in charts and in report.html alike: a word and two colours each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """The ``word`` of a precision, and its colours on a light and on a dark page."""

    word: str
    light: str
    dark: str


LOOKS = {
    "float": Look("float", "#5b7fa8", "#7ea3cf"),
    "binary": Look("binary", "#c8622a", "#ea8a52"),
    "weight-binary": Look("binary weights", "#a8862b", "#d1b056"),
    "int8": Look("int8", "#2f8577", "#5bbcab"),
    "w1a2": Look("W1A2", "#a14d68", "#d98aa2"),
    "w2a2": Look("W2A2", "#87609f", "#b492cc"),
}
# Precisions that have no look of their own, in the order in which they come.
OTHERS = (("#6d7a3a", "#a9b96e"), ("#7a6a58", "#b8a58f"))


def looks(precisions: Iterable[str]) -> dict[str, Look]:
    """The look of each precision, each once; those without a look of their own get one by their place."""
    found: dict[str, Look] = {}
    unknown = 0
    for name in dict.fromkeys(precisions):
        if name in LOOKS:
            found[name] = LOOKS[name]
        else:
            found[name] = Look(name, *OTHERS[unknown % len(OTHERS)])
            unknown += 1
    return found
