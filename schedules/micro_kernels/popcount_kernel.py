"""The sum of a tile of the binary convolution in bytes.

    for each block of filters, for each group of pixels:      registers hold a sum of each pixel and vector of filters
        for each kernel row, for each run of neighbouring bytes, for each chunk of at most 31 bytes:
            sums (uint8) = sum over the bytes of popcount(x xor w);  store the sums
        total (uint16) = sum of the stored sums

Instruction sets derive from ``PopcountKernel`` (popcount_a64.py, popcount_a32.py). Each of them sums a chunk in its own
way, because the values in registers and the order of instructions depend on the number of registers.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property, partial

from b2nn_tvm.schedules.micro_kernels.micro_kernel import MicroKernel, split_evenly

VECTOR = 16  # bytes of a register, and filters of a vector
STEP = 8  # bytes of a pixel that are loaded at a time
CHUNK = 24  # bytes summed in uint8: whole steps, with up to 7 more at the end of a run; at most 31 (31 * 8 = 248)
SCRATCH = 16384  # bytes of stored sums: half of a first-level cache


class PopcountKernel(MicroKernel):
    """The order in which the parts of a tile are summed; each subclass knows an instruction set."""

    name = "popcount"
    result = "uint16"
    most_pixels: Mapping[int, int]  # by vectors of filters: the most pixels whose sums fit the registers
    totals_at_a_time: int  # the most sums in uint16 that fit the registers; each takes two
    pixel_pointers: Sequence[str]
    weight_pointer: str
    stored_pointer: str  # points to the sums that wait in scratch memory

    @abstractmethod
    def chunk(self, size: int) -> None:
        """Sum ``size`` bytes, store the sums, and advance the pointers."""

    @abstractmethod
    def add_up(self, numbers: range, *, stride: int) -> None:
        """Registers 0, 1, ... = totals of the stored sums with these numbers; the sums of a total stand ``stride``
        bytes apart.
        """

    @abstractmethod
    def store(self, number: int, place: int) -> None:
        """Store a total, the ``number``-th that was added up, at the byte ``place`` of the result."""

    @property
    def vectors(self) -> int:
        """Vectors of filters in a block."""
        return self.tile.lanes // VECTOR

    @property
    def chunks_of_run(self) -> tuple[int, ...]:
        """The bytes of each chunk of a run, full ones first."""
        full, rest = divmod(self.tile.run_bytes, CHUNK)
        if not rest:
            return (CHUNK,) * full
        if rest < STEP and full:
            return (*(CHUNK,) * (full - 1), CHUNK + rest)
        return (*(CHUNK,) * full, rest)

    @property
    def chunks(self) -> int:
        return self.tile.rows * len(self.tile.runs) * len(self.chunks_of_run)

    @cached_property
    def groups(self) -> tuple[range, ...]:
        """The pixels (their numbers) that are summed together."""
        stored = self.chunks * self.vectors * VECTOR
        return split_evenly(len(self.tile.pixels), max(1, min(self.most_pixels[self.vectors], SCRATCH // stored)))

    @property
    def scratch_bytes(self) -> int:
        return max(map(len, self.groups)) * self.vectors * VECTOR * self.chunks

    def sum_tile(self) -> None:
        for block in range(self.tile.blocks):
            for group in self.groups:
                self.group = group
                self._point(block, [self.tile.pixels[number] for number in group])
                self.repeat(0, self.tile.rows, self._row)
                self._total(block, group[0])

    def _point(self, block: int, pixels: Sequence[int]) -> None:
        """Let the pointers show the first bytes of a block of filters and of pixels (their offsets)."""
        image, weights, _, scratch = self.arguments
        for pointer, offset in zip(self.pixel_pointers, pixels):
            self.add(pointer, image, offset)
        self.add(self.weight_pointer, weights, block * self.tile.block_bytes)
        self.emit(f"mov {self.stored_pointer}, {scratch}")

    def _row(self) -> None:
        position = 0
        for run in self.tile.runs:
            self._skip(run - position)
            position = run + self.tile.run_bytes
            *equal, last = self.chunks_of_run
            if not equal or equal[0] == last:
                self.repeat(1, len(equal) + 1, partial(self.chunk, last))
                continue
            self.repeat(1, len(equal), lambda: self.chunk(CHUNK))
            self.chunk(last)
        self._skip(self.tile.row_stride - position)

    def _skip(self, count: int) -> None:
        """Advance the pixels' pointers by ``count`` bytes."""
        for pointer in self.pixel_pointers[: len(self.group)] if count else ():
            self.add(pointer, pointer, count)

    def _total(self, block: int, first_pixel: int) -> None:
        """Add up the stored sums of a group and store them as uint16."""
        count = len(self.group) * self.vectors
        width = self.tile.blocks * self.vectors
        for first in range(0, count, self.totals_at_a_time):
            numbers = range(first, min(first + self.totals_at_a_time, count))
            self.add_up(numbers, stride=count * VECTOR)
            for k, n in enumerate(numbers):
                pixel, vector = divmod(n, self.vectors)
                self.store(k, ((first_pixel + pixel) * width + block * self.vectors + vector) * 2 * VECTOR)


def steps(size: int) -> tuple[tuple[int, int], ...]:
    """(first byte, bytes) of the loads of a chunk of a pixel: eight bytes at a time, then the rest as four, two and
    one.
    """
    lengths = (STEP,) * (size // STEP) + tuple(bit for bit in (4, 2, 1) if size % STEP & bit)
    return tuple((sum(lengths[:index]), length) for index, length in enumerate(lengths))
