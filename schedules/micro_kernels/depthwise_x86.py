"""The sums of a row of pixels of an 8-bit depthwise convolution on x86-64.

Instructions that add products take neighbours in memory, and in a depthwise layer the neighbours of a code belong to
other channels. So the kernel first brings the codes of taps below one another side by side, for all columns of the
image that the row of pixels reads, and then sums:

    for each column of the image:               for each vector of channels, for a few pixels at a time:
        load the codes of a few rows;               for each column of taps:
        store the words of each channel                 multiply words of the pixels by a vector of weights, and add

Each column is brought in order once, however many pixels read it. The words lie in scratch memory, which stays in the
first-level cache.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import gcd

from b2nn_tvm.schedules.micro_kernels.micro_kernel import split_evenly
from b2nn_tvm.schedules.micro_kernels.x86 import SCRATCH, YMM, ZMM, W, X, X86Kernel, Y
from b2nn_tvm.schedules.tiles.window_tile import WindowTile

BASE = "%r11"  # the aligned part of the scratch memory
COLUMN, WORDS = "%r8", "%r9"  # a column of the image and its words; later the words of a few pixels
FIRST, RESULTS, WEIGHTS, AT = "%r12", "%r8", "%rax", "%r10"  # of a vector of channels, and results of a few pixels
COUNTERS = ("%r13", "%r14")
WORD = 4  # bytes of a sum, and of the codes of a channel that lie side by side
ALIGNED = 64  # bytes, so that no load crosses a cache line
PIXELS = 8  # pixels at a time: enough sums to hide the latency of an addition, and a weight is loaded once for them
LANE = 16  # bytes within which instructions interleave


class X86DepthwiseKernel(X86Kernel):
    """Sums of a row of pixels in x86-64's assembly; each subclass knows an instruction set."""

    name = "depthwise"
    result = "int32"
    general, counters = ("%rax", "%r8", "%r9", "%r10", "%r11", "%r12", *COUNTERS), COUNTERS
    taps: int  # codes of a word
    widths: tuple[int, ...]  # bytes of the registers into which codes are loaded, the widest first

    def __init__(self, tile: WindowTile):
        super().__init__(tile)
        offsets = sorted({pixel + run for pixel in tile.pixels for run in tile.runs})
        self._step = gcd(*(offset - offsets[0] for offset in offsets)) or 1
        self._columns = (offsets[-1] - offsets[0]) // self._step + 1
        self._words = -(-tile.rows // self.taps)  # words of a channel in a column
        self._vector = WORD * tile.lanes  # bytes of sums of a vector of channels
        self._pixel = self._vector * tile.blocks  # bytes of sums of a pixel, or of a word of all channels

    @property
    def scratch_bytes(self) -> int:
        return 2 * ALIGNED + self._columns * self._words * self._pixel

    @abstractmethod
    def prepare(self, width: int) -> None:
        """Emit what ``interleave`` with loads of ``width`` bytes needs beforehand."""

    @abstractmethod
    def interleave(self, places: Sequence[str], width: int) -> Sequence[str]:
        """Emit loads of the rows at these places, at least one and at most ``taps``, and bring the codes of a channel
        side by side, 0 for absent rows; the registers of ``width`` bytes that hold the words, by rising channels.
        """

    @abstractmethod
    def multiply(self, total: str, weights: str, words: str, free: str) -> None:
        """Emit total += weights * words, which lie in memory; the register ``free`` may be used."""

    def sum_tile(self) -> None:
        self.emit(f"lea {ALIGNED - 1}({SCRATCH}), {BASE}", f"and $$-{ALIGNED}, {BASE}")
        position = 0
        for width in self.widths:
            count = (self.tile.run_bytes - position) // width
            if count:
                self._interleave_columns(width, position, count)
            position += count * width
        if position != self.tile.run_bytes:
            raise ValueError(f"{self.tile.run_bytes} bytes of codes are no multiple of {self.widths[-1]}")
        self.add(FIRST, BASE, ALIGNED)
        self.add(RESULTS, Y, 0)
        self.add(WEIGHTS, W, 0)
        self.repeat(1, self.tile.blocks, self._sum_vector)

    def _interleave_columns(self, width: int, position: int, count: int) -> None:
        """Of all columns, the ``count`` times ``width`` bytes of codes that begin at ``position``."""
        self.prepare(width)
        self.add(COLUMN, X, position)
        self.add(WORDS, BASE, ALIGNED + position * self.taps)

        def column() -> None:
            for number in range(count):
                for word in range(self._words):
                    rows = range(word * self.taps, min((word + 1) * self.taps, self.tile.rows))
                    places = [f"{row * self.tile.row_stride + number * width}({COLUMN})" for row in rows]
                    first = word * self._pixel + number * width * self.taps
                    for index, register in enumerate(self.interleave(places, width)):
                        self.move(register, f"{first + index * width}({WORDS})")
            self.add(COLUMN, COLUMN, self._step)
            self.add(WORDS, WORDS, self._words * self._pixel)

        self.repeat(0, self._columns, column)

    def _sum_vector(self) -> None:
        """The sums of a vector of channels of all pixels."""
        self.add(WORDS, FIRST, 0)
        self.add(AT, RESULTS, 0)
        sizes = [len(group) for group in split_evenly(len(self.tile.pixels), PIXELS)]
        for size in sorted(set(sizes)):
            self.repeat(0, sizes.count(size), lambda size=size: self._sum_pixels(size))  # type: ignore[misc]
        self.add(FIRST, FIRST, self._vector)
        self.add(RESULTS, RESULTS, self._vector)
        self.add(WEIGHTS, WEIGHTS, len(self.tile.runs) * self._words * self._vector)

    def _sum_pixels(self, count: int) -> None:
        """The sums of a vector of channels of ``count`` pixels."""
        sums, weights, free = self.registers[:count], self.registers[count], self.registers[count + 1 :]
        stride = self.tile.pixels[1] - self.tile.pixels[0] if count > 1 or len(self.tile.pixels) > 1 else 0
        for total in sums:
            self.clear(total)
        for number, (run, word) in enumerate((run, word) for run in self.tile.runs for word in range(self._words)):
            self.move(f"{number * self._vector}({WEIGHTS})", weights)
            for pixel, total in enumerate(sums):
                column = (pixel * stride + run - self.tile.runs[0]) // self._step
                place = f"{(column * self._words + word) * self._pixel}({WORDS})"
                self.multiply(total, weights, place, free[pixel % len(free)])
        for pixel, total in enumerate(sums):
            self.move(total, f"{pixel * self._pixel}({AT})")
        self.add(WORDS, WORDS, count * stride // self._step * self._words * self._pixel)
        self.add(AT, AT, count * self._pixel)


def _named(register: str, width: int) -> str:
    """The part of a vector register that has ``width`` bytes."""
    return f"%{ {16: 'x', 32: 'y', 64: 'z'}[width] }{register[2:]}"


class BytesDepthwiseKernel(X86DepthwiseKernel):
    """Four codes of 8 bits at a time; an instruction takes four taps of a channel."""

    taps = 4

    def prepare(self, width: int) -> None:
        """In each lane, instructions interleave codes of the lane, so that a lane has to hold every so many fours of
        channels: then the words come out in the order of the channels.
        """
        *_, zero, order = self.registers[:16]
        self.clear(zero)
        lanes = width // LANE
        if lanes > 1:
            fours = bytes(lanes * four + lane for lane in range(lanes) for four in range(4))
            for first in range(0, len(fours), 8):
                number = int.from_bytes(fours[first : first + 8], "little")
                self.emit(f"movabs $${number}, %rax", f"mov %rax, {first}({BASE})")
            self.emit(f"vpmovzxbd ({BASE}), {_named(order, width)}")

    def interleave(self, places: Sequence[str], width: int) -> Sequence[str]:
        *free, zero, order = (_named(register, width) for register in self.registers[:16])
        rows = [zero] * self.taps
        for number, place in enumerate(places):
            rows[number] = free[number]
            if width > LANE:
                self.emit(f"vpermd {place}, {order}, {rows[number]}")
            else:
                self.move(place, rows[number])
        pairs = free[4:8]
        for half, (low, high) in enumerate((rows[:2], rows[2:])):
            if low == zero:
                pairs[half] = pairs[half + 2] = zero
            else:
                self.emit(f"vpunpcklbw {high}, {low}, {pairs[half]}", f"vpunpckhbw {high}, {low}, {pairs[half + 2]}")
        words = free[8:12]
        for half in (0, 2):
            low, high = pairs[half : half + 2]
            self.emit(f"vpunpcklwd {high}, {low}, {words[half]}", f"vpunpckhwd {high}, {low}, {words[half + 1]}")
        return words


class VnniDepthwiseKernel(BytesDepthwiseKernel):
    """Four taps in registers of 512 bits, with AVX-512 VNNI."""

    registers, widths = ZMM, (64, 32, 16)

    def multiply(self, total: str, weights: str, words: str, free: str) -> None:
        self.move(words, free)
        self.emit(f"vpdpbusd {weights}, {free}, {total}")


class AvxVnniDepthwiseKernel(BytesDepthwiseKernel):
    """Four taps in registers of 256 bits, with AVX-VNNI."""

    registers, widths = YMM, (32, 16)

    def multiply(self, total: str, weights: str, words: str, free: str) -> None:
        self.move(words, free)
        self.emit(f"{{vex}} vpdpbusd {weights}, {free}, {total}")


class Avx2DepthwiseKernel(X86DepthwiseKernel):
    """Two codes of 16 bits at a time, with AVX2; an instruction takes two taps of a channel.

    With AVX-512 and without VNNI, loops of single products are as fast or faster (measured on a Xeon with AMX).
    """

    registers, widths, taps = YMM, (32, 16), 2

    def prepare(self, width: int) -> None:
        self.clear(self.registers[-1])

    def interleave(self, places: Sequence[str], width: int) -> Sequence[str]:
        *free, zero = (_named(register, width) for register in self.registers)
        rows = [zero] * self.taps
        for number, place in enumerate(places):
            rows[number] = free[number]
            if width > LANE:  # fours of channels 0, 2, 1, 3: two of a lane are interleaved into one
                self.emit(f"vpermq $${0b11011000}, {place}, {rows[number]}")
            else:
                self.move(place, rows[number])
        low, high = rows
        self.emit(f"vpunpcklwd {high}, {low}, {free[2]}", f"vpunpckhwd {high}, {low}, {free[3]}")
        return free[2:4]

    def multiply(self, total: str, weights: str, words: str, free: str) -> None:
        self.emit(f"vpmaddwd {words}, {weights}, {free}", f"vpaddd {free}, {total}, {total}")
