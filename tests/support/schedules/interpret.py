"""Runs the assembly of an 8-bit micro-kernel for ARM on bytes, one instruction after the other, without a board or an
emulator: so all shapes of tiles can be tried in a moment. It knows the instructions that these kernels use, in the
meaning of ARM's manual, and refuses others.
"""

from __future__ import annotations

import re

import numpy as np

from b2nn_tvm.schedules.micro_kernels.micro_kernel import MicroKernel
from b2nn_tvm.schedules.tiles.window_tile import WindowTile
from tests.support.schedules.micro_kernels import executed, word_tile

# (words of a pixel, pixels, blocks of filters, side of the kernel, dilation), of which a kernel makes parts in all ways
SHAPES = (
    (1, 1, 1, 1, 1),
    (2, 1, 4, 1, 1),
    (1, 5, 1, 3, 1),
    (7, 2, 3, 1, 1),
    (3, 3, 2, 2, 2),
    (16, 4, 2, 1, 1),
)
TYPES = {"b": np.int8, "h": np.int16, "s": np.int32, "d": np.int64}


def sums_of(kernel: MicroKernel, image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """int32 [pixels, filters]: what the kernel makes of bytes of an image and of weights."""
    machine = _Machine(image, weights, 4 * len(kernel.tile.pixels) * kernel.tile.blocks * kernel.tile.lanes)
    for register, address in zip(kernel.arguments, (0, machine.weights, machine.result)):
        machine.numbers[register] = address
    for line in executed(kernel.assembly()):
        machine.execute(line)
    return machine.memory[machine.result :].view(np.int32).reshape(len(kernel.tile.pixels), -1)


def definition(tile: WindowTile, image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The same by the definition of a tile: whole words of four codes by words of four weights of each filter."""
    words = tile.run_bytes // 4
    starts = [row * tile.row_stride + run for row in range(tile.rows) for run in tile.runs]
    window = [start + byte for start in starts for byte in range(4 * words)]
    codes = np.stack([image[[pixel + offset for offset in window]] for pixel in tile.pixels]).astype(np.int64)
    filters = weights.reshape(tile.blocks, -1, tile.lanes, 4).astype(np.int64)
    sums = np.einsum("pwr,bwlr->pbl", codes.reshape(len(codes), -1, 4), filters)
    return sums.reshape(len(codes), -1)


def check_tile(kernel: type[MicroKernel], shape: tuple[int, ...], *, least: int) -> None:
    """The kernel's sums of random numbers, and of the least ones there are, are those of the definition; no weight is
    less than ``least``.
    """
    words, pixels, blocks, side, dilation = shape
    tile = word_tile(4 * words, pixels=pixels, blocks=blocks, kernel=side, dilation=dilation)
    rng = np.random.default_rng(0)
    image = rng.integers(-128, 128, 9 * 30 * 4 * words).astype(np.int8)
    weights = rng.integers(least, 128, blocks * tile.block_bytes).astype(np.int8)
    for codes, filters in ((image, weights), (np.full_like(image, -128), np.full_like(weights, least))):
        np.testing.assert_array_equal(sums_of(kernel(tile), codes, filters), definition(tile, codes, filters))


class _Machine:
    """Registers and memory: the image, the weights and the result, one behind the other."""

    def __init__(self, image: np.ndarray, weights: np.ndarray, result_bytes: int):
        places = np.cumsum([0, *(-(-size // 16) * 16 for size in (image.size, weights.size))])
        self.weights, self.result = int(places[1]), int(places[2])
        self.memory = np.zeros(self.result + result_bytes, np.int8)
        self.memory[: image.size], self.memory[self.weights : self.weights + weights.size] = image, weights
        self.numbers: dict[str, int] = {}
        self.vectors = np.full(32 * 16, 77, np.int8)  # nothing is zero before it is set

    def execute(self, line: str) -> None:
        for pattern, run in _INSTRUCTIONS:
            if found := re.fullmatch(pattern, line):
                run(self, *found.groups())
                return
        raise NotImplementedError(line)

    def vector(self, kind: str, number: str, letter: str) -> np.ndarray:
        """The elements of a register: v or q of 16 bytes, d of 8."""
        size = 8 if kind == "d" else 16
        return self.vectors[size * int(number) : size * (int(number) + 1)].view(TYPES[letter])

    def value(self, word: str) -> int:
        return int(word[1:]) if word.startswith("#") else self.numbers[word]

    def set_number(self, name: str, to: str, *words: str) -> None:
        first, *second = (self.value(word) for word in words)
        self.numbers[to] = first + sum(second) * (-1 if name == "sub" else 1)

    def set_upper(self, to: str, number: str) -> None:
        self.numbers[to] = self.numbers[to] % 2**16 + int(number) * 2**16

    def load(self, kind: str, number: str, pointer: str, offset: str) -> None:
        """``ldr``: the rest of the register becomes zero."""
        size, at = {"s": 4, "d": 8, "q": 16}[kind], self.numbers[pointer] + self.value(offset)
        register = self.vector("v", number, "b")
        register[:] = 0
        register[:size] = self.memory[at : at + size]

    def load_many(self, first: str, last: str, pointer: str, after: str | None) -> None:
        """``ld1`` and ``vld1``; a register of A32 has 8 bytes."""
        size = 8 if after else 16
        span = slice(size * int(first), size * (int(last) + 1))
        at = self.numbers[pointer]
        self.vectors[span] = self.memory[at : at + span.stop - span.start]
        self.numbers[pointer] += span.stop - span.start if after else 0

    def load_to_all(self, number: str, pointer: str) -> None:
        at = self.numbers[pointer]
        self.vector("d", number, "b")[:] = np.tile(self.memory[at : at + 4], 2)
        self.numbers[pointer] += 4

    def store(self, first: str, last: str | None, pointer: str, offset: str) -> None:
        at, number = self.numbers[pointer] + self.value(offset), int(first) // (2 if last else 1)
        self.memory[at : at + 16] = self.vector("v", str(number), "b")

    def broadcast(self, to: str, number: str, lane: str) -> None:
        self.vector("v", to, "s")[:] = self.vector("v", number, "s")[int(lane)]

    def clear(self, number: str) -> None:
        self.vector("v", number, "b")[:] = 0

    def multiply(self, name: str, high: str, to: str, left: str, right: str) -> None:
        """Products of the low or the high halves, in 16 bits, which wrap."""
        half = slice(8, 16) if high else slice(0, 8)
        of_left, of_right = (self.vector("v", one, "b")[half] for one in (left, right))
        self._multiply(name, self.vector("v", to, "h"), of_left, of_right)

    def multiply_doubles(self, name: str, to: str, left: str, right: str) -> None:
        self._multiply(name, self.vector("q", to, "h"), self.vector("d", left, "b"), self.vector("d", right, "b"))

    def _multiply(self, name: str, to: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
        products = left.astype(np.int16) * right
        to[:] = products if "mull" in name else to + products

    def widen(self, name: str, high: str, to: str, *numbers: str) -> None:
        """``sshll`` by no bit, and ``saddw``, which adds to its first operand."""
        half = slice(4, 8) if high else slice(0, 4)
        wide = self.vector("v", numbers[-1], "h")[half].astype(np.int32)
        self.vector("v", to, "s")[:] = wide + (self.vector("v", numbers[0], "s") if name == "saddw" else 0)

    def add_neighbours_to(self, to: str, number: str) -> None:
        self.vector("v", to, "s")[:] += self.vector("v", number, "h").astype(np.int32).reshape(-1, 2).sum(1, np.int32)

    def add_neighbours(self, kind: str, to: str, left: str, right: str) -> None:
        both = np.concatenate([self.vector(kind, one, "s") for one in (left, right)])
        self.vector(kind, to, "s")[:] = both.reshape(-1, 2).sum(1, np.int32)

    def dot(self, to: str, left: str, right: str, lane: str) -> None:
        word = self.vector("v", right, "b")[4 * int(lane) : 4 * int(lane) + 4].astype(np.int32)
        self.vector("v", to, "s")[:] += self.vector("v", left, "b").reshape(4, 4) @ word


_INSTRUCTIONS = [
    (r"(add|sub) (\w+), (\w+), (\S+)", _Machine.set_number),
    (r"(mov) (\w+), (\S+)", _Machine.set_number),
    (r"movk (\w+), #(\d+), lsl #16", _Machine.set_upper),
    (r"movi v(\d+)\.2d, #0", _Machine.clear),
    (r"vmov\.i32 q(\d+), #0", _Machine.clear),
    (r"ldr ([sdq])(\d+), \[(\w+), (\S+)\]", _Machine.load),
    (r"ld1 \{v(\d+)\.4s(?:, v\d+\.4s)*, v(\d+)\.4s\}, \[(\w+)\](!)?", _Machine.load_many),
    (r"ld1 \{v((\d+))\.4s\}, \[(\w+)\](!)?", _Machine.load_many),
    (r"vld1\.\d+ \{d(\d+)-d(\d+)\}, \[(\w+)\](!)", _Machine.load_many),
    (r"vld1\.32 \{d(\d+)\[\]\}, \[(\w+)\]!", _Machine.load_to_all),
    (r"str q(\d+)(), \[(\w+), (#\d+)\]", _Machine.store),
    (r"vst1\.32 \{d(\d+)-d(\d+)\}, \[(\w+)\]", lambda m, *places: m.store(*places, "#0")),
    (r"dup v(\d+)\.4s, v(\d+)\.s\[(\d)\]", _Machine.broadcast),
    (r"(smull|smlal)(2?) v(\d+)\.8h, v(\d+)\.(?:8|16)b, v(\d+)\.(?:8|16)b", _Machine.multiply),
    (r"(vmull|vmlal)\.s8 q(\d+), d(\d+), d(\d+)", _Machine.multiply_doubles),
    (r"(sshll)(2?) v(\d+)\.4s, v(\d+)\.[48]h, #0", _Machine.widen),
    (r"(saddw)(2?) v(\d+)\.4s, v(\d+)\.4s, v(\d+)\.[48]h", _Machine.widen),
    (r"sadalp v(\d+)\.4s, v(\d+)\.8h", _Machine.add_neighbours_to),
    (r"vpadal\.s16 q(\d+), q(\d+)", _Machine.add_neighbours_to),
    (r"addp (v)(\d+)\.4s, v(\d+)\.4s, v(\d+)\.4s", lambda m, kind, *names: m.add_neighbours(kind, *names)),
    (r"vpadd\.i32 (d)(\d+), d(\d+), d(\d+)", lambda m, kind, *names: m.add_neighbours(kind, *names)),
    (r"sdot v(\d+)\.4s, v(\d+)\.16b, v(\d+)\.4b\[(\d)\]", _Machine.dot),
]
