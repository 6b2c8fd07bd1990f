"""The sum of a tile of an 8-bit convolution on x86-64: words of 32 bits of the image, which hold two or four codes,
by vectors of as many weights of each filter.

    for each kernel row, for each run of neighbouring words:
        load a vector of weights of each block of filters; broadcast a word of each pixel; multiply and add in int32

VNNI adds the products of four unsigned codes by four signed weights (vpdpbusd). Without it codes and weights are
widened to 16 bits, and pairs of products are added (vpmaddwd), which cannot saturate; vpmaddubsw can.

Where weights do not stay near the core, a block of filters is read by all tiles of the image, one after another. Each
of these calls brings its share of the next block's weights into the second-level cache meanwhile.

All registers hold sums but the last ones: a word, a product where one is needed, and weights. Weights that find no
register are read from memory with each word.
"""

from __future__ import annotations

from abc import abstractmethod

from b2nn_tvm.schedules.micro_kernels.x86 import YMM, ZMM, W, X, X86Kernel, Y
from b2nn_tvm.schedules.tiles.window_tile import WindowTile

IMAGE, WEIGHTS, COUNTERS = "%r8", "%r9", ("%r10", "%r11")
CALL, AHEAD = "%ecx", "%rax"  # the number of the call, and the weights that it brings near
WORD, LINE = 4, 64  # bytes


class X86DotKernel(X86Kernel):
    """Sums of a tile in x86-64's assembly; each subclass knows an instruction set. ``calls`` is the number of calls
    that read the same weights one after another, where these are far away, else 0.
    """

    name = "dot"
    result = "int32"
    general, counters = (IMAGE, WEIGHTS, AHEAD, *COUNTERS), COUNTERS
    products = 0  # registers that a product needs before it is added
    unrolled = 2  # words of a turn of the innermost loop

    def __init__(self, tile: WindowTile, calls: int = 0):
        super().__init__(tile)
        self._calls = calls
        turns = tile.rows * len(tile.runs) * (tile.run_bytes // WORD // self.unrolled)
        self._share = -(-tile.blocks * tile.block_bytes // (LINE * calls)) if calls and turns else 0  # lines of a call
        self._lines = -(-self._share // turns) if self._share else 0  # of a turn

    @property
    def reads_ahead(self) -> bool:
        return self._calls > 0

    @abstractmethod
    def multiply(self, total: str, weights: str, word: str) -> None:
        """Emit total += weights * word; ``weights`` is a register or a place in memory."""

    def sum_tile(self) -> None:
        pixels, blocks = len(self.tile.pixels), self.tile.blocks
        free = len(self.registers) - pixels * blocks - self.products
        if free < 1:
            raise ValueError(f"{pixels} pixels by {blocks} blocks need more than {len(self.registers)} registers")
        sums, rest = self.registers[: pixels * blocks], self.registers[pixels * blocks + self.products :]
        self._word, self._held = rest[0], rest[1 : 1 + blocks]
        self._sums = [sums[first : first + blocks] for first in range(0, len(sums), blocks)]
        self.add(IMAGE, X, 0)
        self.add(WEIGHTS, W, 0)
        if self._lines:
            self.emit(f"movslq {CALL}, {AHEAD}", f"imul $${LINE * self._share}, {AHEAD}, {AHEAD}")
            self.emit(f"lea {self.tile.blocks * self.tile.block_bytes}({W},{AHEAD}), {AHEAD}")
        for register in sums:
            self.clear(register)
        self.repeat(0, self.tile.rows, self._row)
        for place, register in enumerate(sums):
            self.move(register, f"{WORD * self.tile.lanes * place}({Y})")

    def _row(self) -> None:
        words, position = self.tile.run_bytes // WORD, 0
        for run in self.tile.runs:
            self.add(IMAGE, IMAGE, run - position)
            self.repeat(1, words // self.unrolled, self._turn)
            self._words(words % self.unrolled)
            position = run + self.tile.run_bytes
        self.add(IMAGE, IMAGE, self.tile.row_stride - position)

    def _turn(self) -> None:
        for line in range(self._lines):
            self.emit(f"prefetcht1 {LINE * line}({AHEAD})")
        self.add(AHEAD, AHEAD, LINE * self._lines)
        self._words(self.unrolled)

    def _words(self, count: int) -> None:
        """Emit the products of ``count`` words of each pixel, and let the pointers advance."""
        size = WORD * self.tile.lanes
        for number in range(count):
            places = [
                f"{block * self.tile.block_bytes + number * size}({WEIGHTS})" for block in range(self.tile.blocks)
            ]
            for place, register in zip(places, self._held):
                self.move(place, register)
            places[: len(self._held)] = self._held
            for offset, sums in zip(self.tile.pixels, self._sums, strict=True):
                self.emit(f"vpbroadcastd {offset + WORD * number}({IMAGE}), {self._word}")
                for total, weights in zip(sums, places, strict=True):
                    self.multiply(total, weights, self._word)
        if count:
            self.add(IMAGE, IMAGE, WORD * count)
            self.add(WEIGHTS, WEIGHTS, size * count)


class VnniDotKernel(X86DotKernel):
    """Four codes at a time, with AVX-512 VNNI."""

    registers = ZMM

    def multiply(self, total: str, weights: str, word: str) -> None:
        self.emit(f"vpdpbusd {weights}, {word}, {total}")


class AvxVnniDotKernel(X86DotKernel):
    """Four codes at a time, with AVX-VNNI."""

    registers = YMM

    def multiply(self, total: str, weights: str, word: str) -> None:
        self.emit(f"{{vex}} vpdpbusd {weights}, {word}, {total}")


class PairDotKernel(X86DotKernel):
    """Two codes of 16 bits at a time."""

    products = 1

    def multiply(self, total: str, weights: str, word: str) -> None:
        product = self.registers[len(self.tile.pixels) * self.tile.blocks]
        self.emit(f"vpmaddwd {weights}, {word}, {product}", f"vpaddd {product}, {total}, {total}")


class Avx512DotKernel(PairDotKernel):
    """Pairs of codes in registers of 512 bits, with AVX-512 BW."""

    registers = ZMM


class Avx2DotKernel(PairDotKernel):
    """Pairs of codes in registers of 256 bits, with AVX2."""

    registers, unrolled = YMM, 4
