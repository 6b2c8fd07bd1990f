"""The tile of a convolution: the outputs whose sums one pass of the inner loop keeps in registers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """``rows`` x ``columns`` output pixels by ``blocks`` vectors of output channels."""

    rows: int
    columns: int
    blocks: int

    @property
    def pixels(self) -> int:
        return self.rows * self.columns

    @property
    def accumulators(self) -> int:
        return self.pixels * self.blocks

    @property
    def word(self) -> str:
        """The tile as tables and records print it."""
        return f"{self.rows}x{self.columns}x{self.blocks}"


def divisors(n: int) -> tuple[int, ...]:
    """The divisors of ``n`` >= 1 in rising order, 1 and ``n`` among them."""
    return tuple(d for d in range(1, n + 1) if n % d == 0)


def tiles(
    height: int, width: int, blocks: int, *, accumulators: int, allow_leftover_column: bool = False
) -> tuple[Tile, ...]:
    """All tiles that divide an output of height x width pixels and ``blocks`` vectors and fit the registers.

    With ``allow_leftover_column``, a prime width that does not fit as a whole also has tiles that leave one column
    over, because no others divide it.
    """
    allow_leftover_column = allow_leftover_column and width > accumulators and len(divisors(width)) == 2
    return tuple(
        Tile(rows, columns, count)
        for rows in divisors(height)
        for columns in (*divisors(width), *(divisors(width - 1)[1:] if allow_leftover_column else ()))
        for count in divisors(blocks)
        if rows * columns * count <= accumulators
    )
