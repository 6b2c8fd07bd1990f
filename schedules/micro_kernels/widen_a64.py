"""The 8-bit micro-kernel in A64 without dot products (Armv8.0): four codes of a pixel by four weights of each of two
filters make eight products of 16 bits (``smull``), the next four are added to them (``smlal``), and neighbours are
added up in 32 bits (``sadalp``): three instructions for 16 products. A sum is a pair of registers, two numbers for each
filter.

No sum of two products overflows as long as no weight is -128. Where one is, each product is added up alone.

An in-order core (Cortex-A53) reads a result six cycles after it was begun without waiting, and waits with a load for
what was begun before it. So the steps of several products alternate, and few places have loads. Other cores do not mind
this order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from b2nn_tvm.schedules.micro_kernels.a64 import PIXELS, VECTORS, Y
from b2nn_tvm.schedules.micro_kernels.multiply_a64 import INDEX, A64MultiplyKernel
from b2nn_tvm.schedules.micro_kernels.multiply_kernel import VECTOR
from b2nn_tvm.schedules.tiles.window_tile import WindowTile

LATENCY = 6  # instructions from one that makes a number to the one that reads it
HALVES = (("", "8b"), ("2", "16b"))  # of a vector of weights: the ending of the instruction, the type of its operands


class A64WidenKernel(A64MultiplyKernel):
    """Integer sums of a tile in 64-bit ARM's assembly; no weight is -128."""

    name = "widen"
    result = "int32"
    registers = VECTORS[:16:2]  # the first of each pair
    most_pixels = 4
    most_left = 2
    weight_pointers = ("x12", "x13", *PIXELS[6:])
    chain = 2  # words of a pixel whose products are added up in 16 bits

    def __init__(self, tile: WindowTile):
        super().__init__(tile)
        self.most_blocks = 2 if len(tile.pixels) > 1 else 4

    def clear(self, sums: Sequence[Sequence[str]]) -> None:
        self.emit(*(f"movi {one}.2d, #0" for of_pixel in sums for first in of_pixel for one in _pair(first)))

    def multiply(self, sums: Sequence[Sequence[str]], count: int) -> None:
        """The n-th product begins at time n; its later steps are ``apart`` times apart, as are the broadcast of a word
        and its first use.
        """
        blocks, depth = len(sums[0]), min(self.chain, count)
        pointers = self.weight_pointers[:blocks]
        free = deque(VECTORS[2 * len(sums) * blocks :])
        pixels = [free.popleft() for _ in sums]
        weights = [[free.popleft() for _ in pointers] for _ in range(depth)]
        products = [
            (first, pixel, block, half)
            for first in range(0, count, depth)
            for pixel in range(len(sums))
            for block in range(blocks)
            for half in range(2)
        ]
        apart = -(-LATENCY // (depth + 1))
        spread: dict[tuple[int, int], str] = {}  # (pixel, word) -> register
        made: dict[int, str] = {}  # product -> register

        def load_weights(n: int, place: int) -> None:
            offset = VECTOR * (products[n][0] + place)
            self.emit(*(f"ldr q{one[1:]}, [{at}, #{offset}]" for one, at in zip(weights[place], pointers, strict=True)))

        def broadcast(n: int, place: int) -> None:
            first, pixel, *_ = products[n]
            spread[pixel, first + place] = free.popleft()
            self.emit(f"dup {spread[pixel, first + place]}.4s, {pixels[pixel]}.s[{first + place}]")

        def step(n: int, place: int) -> None:
            first, pixel, block, half = products[n]
            if place == depth:
                self.emit(f"sadalp {_pair(sums[pixel][block])[half]}.4s, {made[n]}.8h")
                free.append(made[n])
                return
            if not place:
                made[n] = free.popleft()
            word, (end, lanes) = spread[pixel, first + place], HALVES[half]
            name = "smlal" if place else "smull"
            self.emit(f"{name}{end} {made[n]}.8h, {weights[place][block]}.{lanes}, {word}.{lanes}")
            if (block, half) == (blocks - 1, 1):
                free.append(word)

        kind = {1: "s", 2: "d", 4: "q"}[count]
        self.emit(*(f"ldr {kind}{one[1:]}, [{at}, {INDEX}]" for one, at in zip(pixels, self.pixels, strict=True)))
        load_weights(0, 0)
        for time in range(-apart, len(products) + apart * depth):
            at = [time - apart * place for place in range(-1, depth + 1)]  # the products whose turn it is for each step
            for place, n in enumerate(at[1:-1]):
                if n in range(0, len(products), 2 * blocks * len(sums)) and (n or place):
                    load_weights(n, place)
            for place, n in enumerate(at[:-2]):
                if n in range(0, len(products), 2 * blocks):
                    broadcast(n, place)
            for place, n in reversed([*enumerate(at[1:])]):
                if n in range(len(products)):
                    step(n, place)
        self.emit(*(f"add {pointer}, {pointer}, #{VECTOR * count}" for pointer in pointers))
        self.emit(f"add {INDEX}, {INDEX}, #{4 * count}")

    def store(self, register: str, place: int) -> None:
        first, second = _pair(register)
        self.emit(f"addp {first}.4s, {first}.4s, {second}.4s", f"str q{first[1:]}, [{Y}, #{place}]")


class A64WidenEachKernel(A64WidenKernel):
    """The sums for weights of which some are -128: no two products are added up in 16 bits."""

    chain = 1


def _pair(first: str) -> tuple[str, str]:
    """The registers of a sum: of the first two filters of a block, and of the others."""
    return first, f"v{int(first[1:]) + 1}"
