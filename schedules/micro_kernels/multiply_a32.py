"""The multiply micro-kernel in A32 (ARMv7 NEON): 32 multiply-adds at a time, of four pixels and two blocks of filters.

``vmla`` takes a float of a pixel as it stands in its register (of the lower eight), where ``vfma`` needs it in a whole
vector. The weights of the next float are loaded while the weights of the present one are in use.
"""

from __future__ import annotations

from collections.abc import Sequence

from b2nn_tvm.schedules.micro_kernels.a32 import COUNTERS, PIXELS, VECTORS, A32Kernel, Y
from b2nn_tvm.schedules.micro_kernels.multiply_kernel import FLOATS, MultiplyKernel

WEIGHTS = ("r10", "r12")


class A32MultiplyKernel(A32Kernel, MultiplyKernel):
    """Float sums of a tile in 32-bit ARM's assembly."""

    clobbers = (*PIXELS, *WEIGHTS, *COUNTERS, *VECTORS)
    registers = VECTORS[8:]
    pixel_pointers, weight_pointers = PIXELS, WEIGHTS
    most_pixels, most_blocks = 4, 2

    def clear(self, sums: Sequence[Sequence[str]]) -> None:
        self.emit(*(f"vmov.i32 {register}, #0" for of_pixel in sums for register in of_pixel))

    def start_run(self, run: int, position: int) -> None:
        self._skip(run - position)

    def next_row(self, position: int) -> None:
        self._skip(self.tile.row_stride - position)

    def multiply(self, sums: Sequence[Sequence[str]], count: int) -> None:
        for pixel, pointer in enumerate(self.pixels):
            floats = f"d{2 * pixel}-d{2 * pixel + 1}" if count == FLOATS else f"d{2 * pixel}[0]"
            self.emit(f"vld1.32 {{{floats}}}, [{pointer}]!")
        blocks = range(len(sums[0]))

        def weight(block: int, k: int) -> int:  # its register
            return 4 + 2 * (k % 2) + block

        def load(k: int) -> list[str]:
            return [f"vld1.32 {{d{2 * weight(b, k)}-d{2 * weight(b, k) + 1}}}, [{WEIGHTS[b]}]!" for b in blocks]

        self.emit(*load(0))
        for k in range(count):
            self.emit(*(load(k + 1) if k + 1 < count else ()))
            for pixel, of_pixel in enumerate(sums):
                scalar = f"d{2 * pixel + k // 2}[{k % 2}]"
                self.emit(*(f"vmla.f32 {of_pixel[b]}, q{weight(b, k)}, {scalar}" for b in blocks))

    def store(self, register: str, place: int) -> None:
        number = 2 * int(register[1:])
        self.add(PIXELS[0], Y, place)
        self.emit(f"vst1.32 {{d{number}-d{number + 1}}}, [{PIXELS[0]}]")

    def _skip(self, count: int) -> None:
        for pointer in self.pixels if count else ():
            self.add(pointer, pointer, count)
