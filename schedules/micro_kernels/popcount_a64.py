"""The popcount micro-kernel in A64 (AArch64 NEON).

Results are read seven and more instructions after they were made: the pixels of a byte are taken in groups of two or
so, first all ``eor``, then all ``cnt``, then all ``add``. Among the ``add`` stand the loads and broadcasts of the next
group. In-order cores (Cortex-A53) need this order, other cores do not mind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from b2nn_tvm.schedules.micro_kernels.a64 import COUNTERS, PIXELS, SCRATCH, VECTORS, A64Kernel, S, Y
from b2nn_tvm.schedules.micro_kernels.popcount_kernel import VECTOR, PopcountKernel, steps

WEIGHTS, STORED = "x12", "x13"


class A64PopcountKernel(A64Kernel, PopcountKernel):
    """Binary sums of a tile in 64-bit ARM's assembly."""

    clobbers = (*PIXELS, WEIGHTS, STORED, *COUNTERS, SCRATCH, *VECTORS)
    most_pixels = MappingProxyType({1: 8, 2: 7, 3: 4, 4: 4})  # of 32 registers
    totals_at_a_time = 8
    pixel_pointers, weight_pointer, stored_pointer = PIXELS, WEIGHTS, STORED

    def chunk(self, size: int) -> None:
        """Registers: sums, weights of a byte, eight bytes of each pixel (two pixels a register), broadcasts,
        results.
        """
        pixels, vectors = len(self.group), self.vectors
        names = iter(f"v{n}" for n in range(32))

        def take(count: int) -> list[str]:
            return [next(names) for _ in range(count)]

        sums, weights, bytes_ = take(pixels * vectors), take(vectors), take(-(-pixels // 2))
        room = 32 - len(sums) - len(weights) - len(bytes_)
        side = min(pixels, room // (vectors + 1))
        side = -(-pixels // -(-pixels // side))  # in parts of equal sizes
        broadcast, results = take(side), take(side * vectors)
        pixel_loads = steps(size)
        parts = [range(first, min(first + side, pixels)) for first in range(0, pixels, side)]
        order = [(step, byte, part) for step, count in pixel_loads for byte in range(count) for part in parts]
        lengths = dict(pixel_loads)

        def load_pixels(step: int) -> list[str]:
            lines = []
            for pixel in range(pixels):
                pointer, kind = PIXELS[pixel], {8: "d", 4: "s", 2: "h", 1: "b"}[lengths[step]]
                if pixel % 2:
                    lane = 8 // lengths[step]
                    lines += [
                        f"ld1 {{{bytes_[pixel // 2]}.{kind}}}[{lane}], [{pointer}]",
                        f"add {pointer}, {pointer}, #{lengths[step]}",
                    ]
                else:
                    lines.append(f"ldr {kind}{bytes_[pixel // 2][1:]}, [{pointer}, #{step}]")
            return lines

        def load_weights(byte: int) -> list[str]:
            return [
                f"ldr q{register[1:]}, [{WEIGHTS}, #{(byte * vectors + v) * VECTOR}]"
                for v, register in enumerate(weights)
            ]

        def spread(byte: int, part: range) -> list[str]:
            return [f"dup {broadcast[k]}.16b, {bytes_[p // 2]}.b[{byte + 8 * (p % 2)}]" for k, p in enumerate(part)]

        self.emit(*load_weights(0), *load_pixels(0), *spread(0, parts[0]))
        for (step, byte, part), following in zip(order, [*order[1:], None]):
            pairs = [(k, v) for v in range(vectors) for k in range(len(part))]
            made = [results[k * vectors + v] for k, v in pairs]
            into = [sums[part[k] * vectors + v] for k, v in pairs]
            self.emit(*(f"eor {r}.16b, {broadcast[k]}.16b, {weights[v]}.16b" for r, (k, v) in zip(made, pairs)))
            if step == byte == 0:
                work = [f"cnt {total}.16b, {r}.16b" for total, r in zip(into, made)]
            else:
                work = [f"cnt {r}.16b, {r}.16b" for r in made]
                work += [f"add {total}.16b, {total}.16b, {r}.16b" for total, r in zip(into, made)]
            if following is None:
                self.emit(*work)
                break
            next_step, next_byte, next_part = following
            loads = load_pixels(next_step) if next_step != step else []
            loads += load_weights(next_step + next_byte) if (next_step, next_byte) != (step, byte) else []
            broadcasts = spread(next_byte, next_part)
            if next_step != step:  # the bytes are still on their way
                self.emit(work[0], *loads, *work[1:], *broadcasts)
            else:
                self.emit(*broadcasts, work[0], *_alternate(work[1:], loads))
        for pixel in range(0, pixels, 2):
            self.add(PIXELS[pixel], PIXELS[pixel], size)
        self.add(WEIGHTS, WEIGHTS, size * self.tile.lanes)
        self.emit(*(f"str q{n}, [{STORED}, #{n * VECTOR}]" for n in range(len(sums))))
        self.add(STORED, STORED, len(sums) * VECTOR)

    def store(self, number: int, place: int) -> None:
        self.emit(f"str q{2 * number}, [{Y}, #{place}]", f"str q{2 * number + 1}, [{Y}, #{place + VECTOR}]")

    def add_up(self, numbers: range, *, stride: int) -> None:
        loads = [f"ldr q{16 + k}, [{STORED}, #{n * VECTOR}]" for k, n in enumerate(numbers)]
        self.emit(f"mov {STORED}, {S}", *loads)
        for k in range(len(numbers)):
            self.emit(f"ushll v{2 * k}.8h, v{16 + k}.8b, #0", f"ushll2 v{2 * k + 1}.8h, v{16 + k}.16b, #0")

        def add_next() -> None:
            self.add(STORED, STORED, stride)
            self.emit(*loads)
            for k in range(len(numbers)):
                low, high = 2 * k, 2 * k + 1
                self.emit(f"uaddw v{low}.8h, v{low}.8h, v{16 + k}.8b", f"uaddw2 v{high}.8h, v{high}.8h, v{16 + k}.16b")

        self.repeat(0, self.chunks - 1, add_next)


def _alternate(work: Sequence[str], loads: Sequence[str]) -> list[str]:
    """The loads one by one between the first instructions of ``work``."""
    lines = []
    for index, instruction in enumerate(work):
        lines += [*loads[index : index + 1], instruction]
    return [*lines, *loads[len(work) :]]
