"""Small tiles for micro-kernels, and their text without loops."""

from __future__ import annotations

import re

from b2nn_tvm.schedules.tiles.tile import Tile
from b2nn_tvm.schedules.tiles.window_tile import WindowTile, window_tile

FLOATS = 4  # of a register
_REPEATED = re.compile(r"^movw? \w+, #(\d+)\n(\S+):\n(.*?)^subs [^\n]*\n(?:bne|b\.ne) \2$", re.MULTILINE | re.DOTALL)


def popcount_tile(size: int, *, pixels: int = 4, lanes: int = 64, kernel: int = 3, dilation: int = 1) -> WindowTile:
    """Pixels of ``size`` bytes beside one another, of an image of 9x9."""
    image = (1, 9, 9, size)
    return window_tile(
        image, (kernel, kernel), stride=(1, 1), dilation=(dilation, dilation), tile=Tile(1, pixels, 1), lanes=lanes
    )


def multiply_tile(channels: int, *, pixels: int, blocks: int, kernel: int = 3, dilation: int = 1) -> WindowTile:
    """Pixels of so many floats beside one another, of an image of 9x30."""
    image = (1, 9, 30, 4 * channels)
    tile = Tile(1, pixels, blocks)
    return window_tile(image, (kernel, kernel), stride=(1, 1), dilation=(dilation, dilation), tile=tile, lanes=FLOATS)


def word_tile(channels: int, *, pixels: int, blocks: int, kernel: int = 3, dilation: int = 1) -> WindowTile:
    """Pixels of so many 8-bit codes beside one another, of an image of 9x30."""
    image = (1, 9, 30, channels)
    tile = Tile(1, pixels, blocks)
    return window_tile(image, (kernel, kernel), stride=(1, 1), dilation=(dilation, dilation), tile=tile, lanes=FLOATS)


def unrolled(text: str) -> str:
    """The text with its loops written out, the inner ones first."""
    while _REPEATED.search(text):
        text = _REPEATED.sub(lambda loop: loop[3] * int(loop[1]), text)
    return text


def executed(text: str) -> list[str]:
    """The instructions of the text in the order in which they are executed, but for those that count loops."""
    return [line for line in unrolled(text).splitlines() if line]
