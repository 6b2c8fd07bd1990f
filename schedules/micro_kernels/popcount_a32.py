"""The popcount micro-kernel in A32 (ARMv7 NEON): sixteen registers.

The weights are loaded into the registers of their results, as many vectors at a time as there are registers for; so no
register holds weights alone, and two pixels by four vectors of filters fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from b2nn_tvm.schedules.micro_kernels.a32 import COUNTERS, PIXELS, VECTORS, A32Kernel, S, Y
from b2nn_tvm.schedules.micro_kernels.popcount_kernel import VECTOR, PopcountKernel, steps

WEIGHTS, STORED, SCRATCH = "r10", "r12", "r4"


class A32PopcountKernel(A32Kernel, PopcountKernel):
    """Binary sums of a tile in 32-bit ARM's assembly."""

    clobbers = (*PIXELS, WEIGHTS, STORED, *COUNTERS, *VECTORS)
    most_pixels = MappingProxyType({1: 4, 2: 3, 3: 2, 4: 2})  # of 16 registers
    totals_at_a_time = 4
    pixel_pointers, weight_pointer, stored_pointer = PIXELS, WEIGHTS, STORED

    def chunk(self, size: int) -> None:
        """Registers: sums, broadcasts, eight bytes of each pixel (two pixels a register), results."""
        pixels, vectors = len(self.group), self.vectors
        sums = [f"q{n}" for n in range(pixels * vectors)]
        spread = [f"q{len(sums) + n}" for n in range(pixels)]
        held = len(sums) + pixels
        bytes_ = [f"d{2 * held + pixel}" for pixel in range(pixels)]
        first_free = held + -(-pixels // 2)
        at_a_time = min(vectors, (16 - first_free) // pixels, 2)  # vectors of filters in flight
        made = [[f"q{first_free + v + k * at_a_time}" for k in range(pixels)] for v in range(at_a_time)]
        byte = 0
        for _, length in steps(size):
            kind = {8: "8", 4: "32", 2: "16", 1: "8"}[length]
            for pointer, register in zip(PIXELS, bytes_):
                self.emit(f"vld1.{kind} {{{register}{'' if length == 8 else '[0]'}}}, [{pointer}]!")
            for lane in range(length):
                self.emit(*(f"vdup.8 {to}, {register}[{lane}]" for to, register in zip(spread, bytes_)))
                for first in range(0, vectors, at_a_time):
                    chosen = range(first, min(first + at_a_time, vectors))
                    self._vectors(chosen, made, spread, sums, start=byte == 0)
                byte += 1
        for first in range(0, len(sums), 2):
            ends = (2 * first, 2 * min(first + 2, len(sums)) - 1)
            self.emit(f"vst1.8 {{d{ends[0]}-d{ends[1]}}}, [{STORED}]!")

    def _vectors(
        self, chosen: range, made: Sequence[Sequence[str]], spread: Sequence[str], sums: Sequence[str], *, start: bool
    ) -> None:
        """Load, xor, count and add some vectors of filters of one byte; the first pixel's result replaces the
        weights.
        """
        loaded = [results[0] for results, _ in zip(made, chosen)]
        self.emit(f"vld1.8 {{d{2 * int(loaded[0][1:])}-d{2 * int(loaded[-1][1:]) + 1}}}, [{WEIGHTS}]!")
        pairs = [(v, k) for k in (*range(1, len(spread)), 0) for v in range(len(loaded))]
        self.emit(*(f"veor {made[v][k]}, {loaded[v]}, {spread[k]}" for v, k in pairs))
        counted = [(made[v][k], sums[k * self.vectors + chosen[v]]) for v, k in pairs]
        if start:
            self.emit(*(f"vcnt.8 {total}, {result}" for result, total in counted))
            return
        self.emit(*(f"vcnt.8 {result}, {result}" for result, _ in counted))
        self.emit(*(f"vadd.i8 {total}, {total}, {result}" for result, total in counted))

    def store(self, number: int, place: int) -> None:
        self.add(SCRATCH, Y, place)
        self.emit(f"vst1.16 {{d{4 * number}-d{4 * number + 3}}}, [{SCRATCH}]")

    def add_up(self, numbers: range, *, stride: int) -> None:
        loads = [f"vld1.8 {{d{16 + 2 * k}-d{17 + 2 * k}}}, [{STORED}]!" for k in range(len(numbers))]
        self.add(STORED, S, numbers.start * VECTOR)
        self.emit(*loads)
        for k in range(len(numbers)):
            self.emit(f"vmovl.u8 q{2 * k}, d{16 + 2 * k}", f"vmovl.u8 q{2 * k + 1}, d{17 + 2 * k}")

        def add_next() -> None:
            self.add(STORED, STORED, stride - len(numbers) * VECTOR)
            self.emit(*loads)
            for k in range(len(numbers)):
                low, high = 2 * k, 2 * k + 1
                self.emit(f"vaddw.u8 q{low}, q{low}, d{16 + 2 * k}", f"vaddw.u8 q{high}, q{high}, d{17 + 2 * k}")

        self.repeat(0, self.chunks - 1, add_next)
