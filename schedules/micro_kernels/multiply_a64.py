"""The multiply micro-kernel in A64 (AArch64 NEON): 64 multiply-adds at a time, of eight pixels and two blocks of
filters.

Each multiply-add takes a quarter of a load, and all loads stand in front: on an in-order core (Cortex-A53), by LLVM's
model, a load behind a multiply-add waits for its end. Other cores do not mind this order.
"""

from __future__ import annotations

from collections.abc import Sequence

from b2nn_tvm.schedules.micro_kernels.a64 import COUNTERS, PIXELS, SCRATCH, VECTORS, A64Kernel, Y
from b2nn_tvm.schedules.micro_kernels.multiply_kernel import FLOATS, VECTOR, MultiplyKernel

WEIGHTS, INDEX = ("x12", "x13"), "x17"


class A64MultiplyKernel(A64Kernel, MultiplyKernel):
    """Float sums of a tile in 64-bit ARM's assembly."""

    clobbers = (*PIXELS, *WEIGHTS, *COUNTERS, SCRATCH, INDEX, *VECTORS)
    registers = VECTORS[:16]
    pixel_pointers: Sequence[str] = PIXELS
    weight_pointers: Sequence[str] = WEIGHTS
    most_pixels, most_blocks = 8, 2

    def clear(self, sums: Sequence[Sequence[str]]) -> None:
        self.emit(*(f"movi {register}.2d, #0" for of_pixel in sums for register in of_pixel))

    def start_run(self, run: int, position: int) -> None:
        self.set(INDEX, run)

    def next_row(self, position: int) -> None:
        for pointer in self.pixels:
            self.add(pointer, pointer, self.tile.row_stride)

    def multiply(self, sums: Sequence[Sequence[str]], count: int) -> None:
        pointers = WEIGHTS[: len(sums[0])]
        weights = [[f"v{16 + FLOATS * b + k}" for k in range(count)] for b in range(len(pointers))]
        pixels = [f"v{24 + p}" for p in range(len(sums))]
        kind = {1: "s", FLOATS: "q"}[count]
        for pointer, registers in zip(pointers, weights):
            self.emit(f"ld1 {{{', '.join(f'{register}.4s' for register in registers)}}}, [{pointer}]")
        advance = [f"add {pointer}, {pointer}, #{VECTOR * count}" for pointer in pointers]
        for pointer, register in zip(self.pixels, pixels):
            self.emit(f"ldr {kind}{register[1:]}, [{pointer}, {INDEX}]", *advance[:1])
            advance = advance[1:]
        self.emit(*advance, f"add {INDEX}, {INDEX}, #{4 * count}")
        for k in range(count):
            for of_pixel, pixel in zip(sums, pixels):
                self.emit(*(self.term(s, w[k], pixel, k) for s, w in zip(of_pixel, weights)))

    def term(self, total: str, weights: str, pixel: str, k: int) -> str:
        """The instruction that adds the products of a vector of weights and the word ``k`` of a pixel to a sum."""
        return f"fmla {total}.4s, {weights}.4s, {pixel}.s[{k}]"

    def store(self, register: str, place: int) -> None:
        self.emit(f"str q{register[1:]}, [{Y}, #{place}]")
