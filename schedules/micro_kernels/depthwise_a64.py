"""The micro-kernel of 8-bit depthwise convolutions in A64: eight channels of a pixel by their weights make products of
16 bits, those of the next tap are added to them, and the sums of two taps to sums of 32 bits.

No sum of two products overflows as long as no weight is -128. Where one is, each product is added alone. A few pixels
are summed side by side, first all loads, as in-order cores want it (widen_a64.py); the weights stay in registers.
"""

from __future__ import annotations

from collections.abc import Sequence

from b2nn_tvm.schedules.micro_kernels.a64 import PIXELS, SCRATCH, VECTORS, A64Kernel, W, X, Y
from b2nn_tvm.schedules.micro_kernels.micro_kernel import split_evenly

LANES = 8  # channels of a block
SUM = 4 * LANES  # bytes of the sums of a block
HELD = 12  # registers of weights
MOST_PIXELS = 4
REACH = 32760  # the furthest byte that a load reaches
FURTHER = PIXELS[-1]  # a pointer for loads from further on


class A64DepthwiseKernel(A64Kernel):
    """Integer sums of a tile, a filter for each channel, in 64-bit ARM's assembly; no weight is -128."""

    name = "depthwise"
    result = "int32"
    clobbers = (*PIXELS, SCRATCH, *VECTORS)
    chain = 2  # taps whose products are added up in 16 bits

    def sum_tile(self) -> None:
        taps = [row * self.tile.row_stride + run for run in self.tile.runs for row in range(self.tile.rows)]
        furthest = max(self.tile.pixels) + max(taps) + LANES * (self.tile.blocks - 1)
        self._pointers = (X, *PIXELS[: min(furthest // REACH, len(PIXELS) - 1)])  # each REACH bytes behind the last
        for at, pointer in enumerate(self._pointers[1:]):
            self.add(pointer, self._pointers[at], REACH)
        for block in range(self.tile.blocks):
            held = len(taps) if len(taps) <= HELD else HELD - self.chain
            for tap, register in enumerate(VECTORS[:held]):
                self._load_weight(register, tap, block)
            for pixels in split_evenly(len(self.tile.pixels), MOST_PIXELS):
                self._sum(pixels, block, taps, held)

    def _load_weight(self, register: str, tap: int, block: int) -> None:
        pointer, offset = W, block * self.tile.block_bytes + LANES * tap
        if offset > REACH:
            self.add(FURTHER, W, offset)
            pointer, offset = FURTHER, 0
        self.emit(f"ldr d{register[1:]}, [{pointer}, #{offset}]")

    def _sum(self, pixels: range, block: int, taps: Sequence[int], held: int) -> None:
        count = len(pixels)
        free = VECTORS[HELD:]
        sums = [free[2 * n : 2 * n + 2] for n in range(count)]
        made, codes = free[2 * count : 3 * count], free[3 * count : 5 * count]
        for first in range(0, len(taps), self.chain):
            chosen = range(first, min(first + self.chain, len(taps)))
            weights = [VECTORS[tap if tap < held else HELD - self.chain + tap - first] for tap in chosen]
            for tap, register in zip(chosen, weights):
                if tap >= held:
                    self._load_weight(register, tap, block)
            for place, tap in enumerate(chosen):
                for n, pixel in enumerate(pixels):
                    offset = self.tile.pixels[pixel] + taps[tap] + LANES * block
                    self._load_codes(codes[place * count + n], offset)
            for place, weight in enumerate(weights):
                name = "smlal" if place else "smull"
                self.emit(*(f"{name} {to}.8h, {codes[place * count + n]}.8b, {weight}.8b" for n, to in enumerate(made)))
            for half, (end, lanes) in enumerate((("", "4h"), ("2", "8h"))):
                if first:
                    self.emit(*(f"saddw{end} {s[half]}.4s, {s[half]}.4s, {m}.{lanes}" for s, m in zip(sums, made)))
                else:
                    self.emit(*(f"sshll{end} {s[half]}.4s, {m}.{lanes}, #0" for s, m in zip(sums, made)))
        for pixel, of_pixel in zip(pixels, sums):
            place = SUM * (pixel * self.tile.blocks + block)
            self.emit(*(f"str q{one[1:]}, [{Y}, #{place + 16 * half}]" for half, one in enumerate(of_pixel)))

    def _load_codes(self, register: str, offset: int) -> None:
        number, offset = divmod(offset, REACH)
        if number < len(self._pointers):
            pointer = self._pointers[number]
        else:
            pointer = FURTHER
            self.add(pointer, X, number * REACH)
        self.emit(f"ldr d{register[1:]}, [{pointer}, #{offset}]")


class A64DepthwiseEachKernel(A64DepthwiseKernel):
    """The sums for weights of which some are -128: no two products are added up in 16 bits."""

    chain = 1
