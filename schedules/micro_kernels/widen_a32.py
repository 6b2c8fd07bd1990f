"""The 8-bit micro-kernel in A32 (ARMv7 NEON): the steps of widen_a64.py (``vmull``, ``vmlal``, ``vpadal``) for two
pixels and two blocks of filters. The word of a pixel is broadcast by its load.
"""

from __future__ import annotations

from collections.abc import Sequence

from b2nn_tvm.schedules.micro_kernels.a32 import PIXELS, VECTORS, Y
from b2nn_tvm.schedules.micro_kernels.multiply_a32 import WEIGHTS, A32MultiplyKernel


class A32WidenKernel(A32MultiplyKernel):
    """Integer sums of a tile in 32-bit ARM's assembly; no weight is -128."""

    name = "widen"
    result = "int32"
    registers = VECTORS[8::2]  # the first of each pair
    most_pixels = 2
    most_left = 2
    chain = 2  # words of a pixel whose products are added up in 16 bits

    def clear(self, sums: Sequence[Sequence[str]]) -> None:
        pairs = [(int(first[1:]), int(first[1:]) + 1) for of_pixel in sums for first in of_pixel]
        self.emit(*(f"vmov.i32 q{number}, #0" for pair in pairs for number in pair))

    def multiply(self, sums: Sequence[Sequence[str]], count: int) -> None:
        """Registers: products (q0, q1), words of pixels (d4 to d7), weights (q4 to q7), sums."""
        for first in range(0, count, self.chain):
            words = range(min(self.chain, count - first))
            for block, pointer in zip(range(len(sums[0])), WEIGHTS):
                start = 8 + 4 * block
                self.emit(f"vld1.8 {{d{start}-d{start + 2 * len(words) - 1}}}, [{pointer}]!")
            for pixel, pointer in enumerate(self.pixels):
                self.emit(*(f"vld1.32 {{d{4 + 2 * pixel + word}[]}}, [{pointer}]!" for word in words))
            for pixel, of_pixel in enumerate(sums):
                for block, total in enumerate(of_pixel):
                    for word in words:
                        weight, of_word = 8 + 4 * block + 2 * word, 4 + 2 * pixel + word
                        name = "vmlal" if word else "vmull"
                        self.emit(*(f"{name}.s8 q{half}, d{weight + half}, d{of_word}" for half in range(2)))
                    self.emit(*(f"vpadal.s16 q{int(total[1:]) + half}, q{half}" for half in range(2)))

    def store(self, register: str, place: int) -> None:
        first = 2 * int(register[1:])
        self.emit(
            f"vpadd.i32 d{first}, d{first}, d{first + 1}",
            f"vpadd.i32 d{first + 1}, d{first + 2}, d{first + 3}",
        )
        self.add(PIXELS[0], Y, place)
        self.emit(f"vst1.32 {{d{first}-d{first + 1}}}, [{PIXELS[0]}]")


class A32WidenEachKernel(A32WidenKernel):
    """The sums for weights of which some are -128: no two products are added up in 16 bits."""

    chain = 1
