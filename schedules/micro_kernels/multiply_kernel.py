"""The sum of a tile of a float convolution, or of the products of a Winograd convolution.

    for each few blocks of filters, for each group of pixels:      registers hold a sum of each pixel and block
        for each kernel row, for each run of neighbouring floats, four at a time:
            load so many vectors of weights of each block and four floats of each pixel, multiply and add

Instruction sets derive from ``MultiplyKernel`` (multiply_a64.py, multiply_a32.py).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from b2nn_tvm.schedules.micro_kernels.micro_kernel import MicroKernel, split_evenly

FLOATS = 4  # floats of a register, and filters of a block
VECTOR = 4 * FLOATS  # bytes


class MultiplyKernel(MicroKernel):
    """The order in which the parts of a tile are summed; each subclass knows an instruction set."""

    name = "multiply"
    result = "float32"
    most_pixels: int  # the most pixels whose sums for ``most_blocks`` blocks fit the registers
    most_blocks: int
    most_left = 1  # how many floats ``multiply`` takes of those of a run that do not make up four
    pixel_pointers: Sequence[str]
    weight_pointers: Sequence[str]

    @abstractmethod
    def clear(self, sums: Sequence[Sequence[str]]) -> None:
        """Set the sums, registers of each pixel and block, to zero."""

    @abstractmethod
    def start_run(self, run: int, position: int) -> None:
        """Let the pixels' pointers, ``position`` bytes behind the start of the kernel row, show the byte ``run`` of
        that row.
        """

    @abstractmethod
    def next_row(self, position: int) -> None:
        """Let the pixels' pointers, ``position`` bytes behind the start of the kernel row, show the start of the next
        row.
        """

    @abstractmethod
    def multiply(self, sums: Sequence[Sequence[str]], count: int) -> None:
        """Add the products of ``count`` (4, 1 or ``most_left``) floats of each pixel to the sums, and advance the
        pointers.
        """

    @abstractmethod
    def store(self, register: str, place: int) -> None:
        """Store a sum at the byte ``place`` of the result."""

    @property
    @abstractmethod
    def registers(self) -> Sequence[str]:
        """The registers of the sums."""

    def sum_tile(self) -> None:
        for blocks in split_evenly(self.tile.blocks, self.most_blocks):
            for pixels in split_evenly(len(self.tile.pixels), self.most_pixels):
                self._sum(pixels, blocks)

    def _sum(self, pixels: range, blocks: range) -> None:
        width = len(blocks)
        sums = [self.registers[first : first + width] for first in range(0, len(pixels) * width, width)]
        self._point(
            [self.tile.pixels[number] for number in pixels], [block * self.tile.block_bytes for block in blocks]
        )
        self.clear(sums)
        self.repeat(0, self.tile.rows, lambda: self._row(sums))
        for number, of_pixel in zip(pixels, sums):
            for block, register in zip(blocks, of_pixel):
                self.store(register, VECTOR * (number * self.tile.blocks + block))

    def _point(self, pixels: Sequence[int], blocks: Sequence[int]) -> None:
        """Let the pointers show the first floats of pixels and of blocks of filters (their offsets)."""
        image, weights, *_ = self.arguments
        self.pixels = self.pixel_pointers[: len(pixels)]  # the pointers in use
        for pointer, offset in zip(self.pixels, pixels):
            self.add(pointer, image, offset)
        for pointer, offset in zip(self.weight_pointers, blocks):
            self.add(pointer, weights, offset)

    def _row(self, sums: Sequence[Sequence[str]]) -> None:
        fours, rest = divmod(self.tile.run_bytes // 4, FLOATS)

        def multiply_two_fours() -> None:
            self.multiply(sums, FLOATS)
            self.multiply(sums, FLOATS)

        position = 0
        for run in self.tile.runs:
            self.start_run(run, position)
            self.repeat(1, fours // 2, multiply_two_fours)
            left = (self.most_left,) * (rest // self.most_left) + (1,) * (rest % self.most_left)
            for count in (FLOATS,) * (fours % 2) + left:
                self.multiply(sums, count)
            position = run + self.tile.run_bytes
        self.next_row(position)
