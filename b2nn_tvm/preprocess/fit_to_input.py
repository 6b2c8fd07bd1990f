"""How a picture gets the size of a network's input, in a word: cover, stretch, none, or the length of its shorter side.

256 for an input of 224x224   ->   Resize("shorter", 256, 256), cropped to 224x224
"""

from __future__ import annotations

from b2nn_tvm.errors import InputError
from b2nn_tvm.preprocess.preprocess import LARGEST_SIDE, Resize

COVER, STRETCH, NONE = "cover", "stretch", "none"
WORDS = (COVER, STRETCH, NONE)


def as_way(word: str | int) -> str | int:
    """A word of WORDS, or a number of pixels, which may be written as text; raises InputError for anything else."""
    if word in WORDS:
        return word
    digits = str(word).strip() if isinstance(word, str | int) and not isinstance(word, bool) else ""
    if digits.isascii() and digits.isdecimal() and 1 <= int(digits) <= LARGEST_SIDE:
        return int(digits)
    raise InputError(
        f"expected {', '.join(WORDS)}, or the pixels of a picture's shorter side, such as 256, as the way to resize,"
        f" but got {word!r}"
    )


def fit_to_input(way: str | int, size: tuple[int, int]) -> tuple[Resize, tuple[int, int] | None]:
    """The resize of a picture, and (height, width) of what is cropped then, for an input of ``size``, (height, width).

    A number is the shorter side, whose middle part the network sees. Raises InputError where that is smaller than the
    input, and as ``as_way``.
    """
    way = as_way(way)
    if way == COVER:
        return Resize("shorter", *size), size
    if isinstance(way, str):
        return Resize(way, *size), None
    if way < max(size):
        raise InputError(
            f"a shorter side of {way} pixels is less than the input has, {size[1]}x{size[0]}: give at least"
            f" {max(size)}, or stretch, or cover"
        )
    return Resize("shorter", way, way), size
