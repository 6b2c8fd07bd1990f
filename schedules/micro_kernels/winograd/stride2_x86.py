"""The sums of a few rows of pixels of an 8-bit 3x3 convolution of stride 2 on x86-64, by Winograd's form in whole
numbers.

Even and odd lines of the image are convolutions of their own: of lines d, o, d', o', d'' and a filter g0, g1, g2, two
lines of the result are

    y  = d  g0 + o  g1 + d'  g2 = [(d - d') g0 + o g1]   + d' (g0 + g2)
    y' = d' g0 + o' g1 + d'' g2 = [o' g1 + (d'' - d') g2] + d' (g0 + g2)

which are five products in place of six: of what the first line has alone, of what the second one has alone, and of what
both share. The same in both directions makes 25 of 36, for nine parts of a tile of 2 x 2 pixels.

    for each tile:                                  differences of its codes, in 16 bits
    for each few vectors of filters:
        for each few channels:
            for each word of their weights:         sums g0 + g2, in 16 bits
            for each of nine parts of the tiles:    products, in 32 bits
        for each tile:                              its pixels are sums of four parts each

All numbers are whole and there is no scale. Differences reach 510 and sums of weights 512, and sums of products wrap
around as those of the direct form do, so the result is the same integer. Where an image has an odd number of lines, its
last tiles have no second one, nor the products for it.
"""

from __future__ import annotations

from collections.abc import Callable

from b2nn_tvm.schedules.micro_kernels.micro_kernel import split_evenly
from b2nn_tvm.schedules.micro_kernels.winograd.stride1_x86 import (
    ALIGNED,
    BASE,
    BLOCKS,
    CODE,
    COUNTERS,
    DATA,
    IMAGE,
    PRODUCTS,
    RESULT,
    UNROLLED,
    WEIGHTS,
    WORD,
    YMM_BYTES,
    ZMM_BYTES,
    Avx2WinogradKernel,
    Avx512WinogradKernel,
    PairWinogradKernel,
    whole_and_rest,
)
from b2nn_tvm.schedules.micro_kernels.x86 import SCRATCH, W, X, Y, named
from b2nn_tvm.schedules.tiles.window_tile import WindowTile

FILTERS = "%r14"  # the weights in memory
PLACES = ("%r9", "%rax", "%r14")  # of a tile that is transformed: its differences of each part
AHEAD = SCRATCH  # minus the bytes of the differences of the channels in turn and behind
AT, SECOND = "%r8", "%r9"  # of a tile's pixels, and of the products that are of second columns alone
M, STRIDE = 2, 2
FIRST_ALONE, SECOND_ALONE, BOTH = range(3)  # the parts of two lines
# Of each part: its terms, as (line, line to subtract or None) of the five lines of a tile, and which of the sums
# (g0, g1, g2, g0 + g2) the first one meets; the next one meets the next sum.
TERMS = (((0, 2), (1, None)), ((3, None), (4, 2)), ((2, None),))
FIRST_SUM = (0, 1, 3)
LINES, SUMS = 5, 4
ALL_TERMS = sum(map(len, TERMS))
TAPS = 3
POINTER, LINE = 8, 64  # bytes
CHANNELS = 32  # at a time: their sums of weights of two vectors of filters are 16 KiB, which stay near


class StridedWinogradKernel(PairWinogradKernel):
    """The order of the steps; each subclass knows an instruction set."""

    name = "strided_winograd"
    counters = (*COUNTERS, "%rbx")
    general = (BASE, *counters, IMAGE, *PLACES, RESULT)

    def __init__(self, tile: WindowTile, m: int = M):
        if m != M:
            raise ValueError(f"layers of stride {STRIDE} have tiles of {M}x{M} pixels, not {m}x{m}")
        super().__init__(tile, m)
        unit = YMM_BYTES // CODE
        self._few = unit * next(n for n in range(CHANNELS // unit, 0, -1) if self._channels // unit % n == 0)
        self._few_bytes = self._few * CODE

    @property
    def _filters(self) -> int:
        """Bytes of a tap, or sum of taps, of the channels in turn of a vector of filters."""
        return self._few_bytes * self.tile.lanes

    @property
    def _data_at(self) -> int:
        return 0

    @property
    def _of_a_term(self) -> int:
        """Bytes of the differences of a term of the channels in turn, of all tiles."""
        return self._tiles * self._few_bytes

    @property
    def _of_all_terms(self) -> int:
        return ALL_TERMS**2 * self._of_a_term

    @property
    def _turns(self) -> int:
        return self._channels // self._few

    @property
    def _sums_at(self) -> int:
        return self._turns * self._of_all_terms

    @property
    def _products_at(self) -> int:
        return self._sums_at + min(BLOCKS, self.tile.blocks) * SUMS**2 * self._filters

    @property
    def scratch_bytes(self) -> int:
        return ALIGNED + self._saved_at + POINTER

    @property
    def _saved_at(self) -> int:
        blocks = min(BLOCKS, self.tile.blocks)
        return self._products_at + len(TERMS) ** 2 * self._tiles * blocks * self._vector

    def sum_tile(self) -> None:
        self.emit(f"lea {ALIGNED - 1}({SCRATCH}), {BASE}", f"and $$-{ALIGNED}, {BASE}")
        self.emit(f"mov {SCRATCH}, {self._saved_at}({BASE})")
        self._transform_image()
        self.add(FILTERS, W, 0)
        self.add(RESULT, Y, 0)
        sizes = [len(group) for group in split_evenly(self.tile.blocks, BLOCKS)]
        for size in sorted(set(sizes)):
            self.repeat(0, sizes.count(size), lambda size=size: self._sum_blocks(size))  # type: ignore[misc]
        self.emit(f"mov {self._saved_at}({BASE}), {SCRATCH}")

    # ---- the image

    def _place(self, term: int, part: int) -> int:
        """Where the differences of a term of rows and a part of columns begin, those of one tile behind another, among
        those of a few channels.
        """
        return (term * ALL_TERMS + sum(map(len, TERMS[:part]))) * self._of_a_term

    def _transform_image(self) -> None:
        width = next(width for width in (ZMM_BYTES, YMM_BYTES) if self.fits(width))
        self.add(IMAGE, X, 0)
        for place in PLACES:
            self.add(place, BASE, 0)

        def vector(height: int, columns: int) -> None:
            self._transform_lines(width, height, columns)
            for pointer in (IMAGE, *PLACES):
                self.add(pointer, pointer, width)

        def tile(height: int, columns: int) -> None:
            self.repeat(3, self._few_bytes // width, lambda: vector(height, columns))
            self.add(IMAGE, IMAGE, M * STRIDE * self._pixel - self._few_bytes)
            for part, place in enumerate(PLACES):
                terms = len(TERMS[part]) if part in self._parts(columns) else 0
                self.add(place, place, (terms - 1) * self._few_bytes)

        def row(height: int) -> None:
            for count, columns in whole_and_rest(self._columns, M):
                self.repeat(2, count, lambda columns=columns: tile(height, columns))  # type: ignore[misc]
            self.add(IMAGE, IMAGE, M * STRIDE * (self.tile.row_stride - self._across * self._pixel))

        def channels() -> None:
            for count, height in whole_and_rest(self._rows, M):
                self.repeat(1, count, lambda height=height: row(height))  # type: ignore[misc]
            self.add(IMAGE, IMAGE, self._few_bytes - self._down * M * STRIDE * self.tile.row_stride)
            for terms, place, across in zip(TERMS, PLACES, self._across_parts, strict=True):
                self.add(place, place, self._of_all_terms - self._down * across * len(terms) * self._few_bytes)

        self.repeat(0, self._turns, channels)

    @property
    def _across_parts(self) -> tuple[int, ...]:
        """The tiles of a row that have each part of the columns."""
        return self._across, self._columns // M, self._across

    def fits(self, width: int) -> bool:
        return self._few_bytes % width == 0 and super().fits(width)

    def _transform_lines(self, width: int, height: int, columns: int) -> None:
        """The differences of a vector of channels of a tile of ``height`` x ``columns`` pixels: first those of its
        rows, then those of the columns of what that gives.
        """
        *lines, difference = (named(register, width) for register in self.registers[: LINES + 1])
        lines = lines[: STRIDE * columns + 1]
        for row_part in self._parts(height):
            for number, (row, less) in enumerate(TERMS[row_part]):
                for column, register in enumerate(lines):
                    self.emit(self._copy(self._code(row, column), register))
                    if less is not None:
                        self.emit(f"vpsubw {self._code(less, column)}, {register}, {register}")
                term = sum(map(len, TERMS[:row_part])) + number
                for part in self._parts(columns):
                    for place, (column, less) in enumerate(TERMS[part]):
                        result = lines[column]
                        if less is not None:
                            self.emit(f"vpsubw {lines[less]}, {result}, {difference}")
                            result = difference
                        at = self._place(term, part) + place * self._few_bytes
                        self.emit(self._copy(result, f"{at}({PLACES[part]})"))

    def _code(self, row: int, column: int) -> str:
        return f"{row * self.tile.row_stride + column * self._pixel}({IMAGE})"

    @staticmethod
    def _parts(lines: int) -> tuple[int, ...]:
        """The parts of so many lines of a tile's result."""
        return (FIRST_ALONE, SECOND_ALONE, BOTH) if lines == M else (FIRST_ALONE, BOTH)

    # ---- a few vectors of filters

    def _sum_blocks(self, blocks: int) -> None:
        """All sums of ``blocks`` vectors of filters."""
        self._clear_products(blocks)
        self._for_few_channels(lambda: self._multiply(blocks))
        self.add(PRODUCTS, BASE, self._products_at)
        self.add(SECOND, BASE, self._products_at)
        self.add(AT, RESULT, 0)
        pixel = self.tile.blocks * self._vector  # bytes of the sums of a pixel

        def tile(height: int, width: int) -> None:
            for block in range(blocks):
                self._add_parts(block, blocks, height, width)
            self.add(PRODUCTS, PRODUCTS, blocks * self._vector)
            if width == M:
                self.add(SECOND, SECOND, blocks * self._vector)
            self.add(AT, AT, width * pixel)

        def row(height: int) -> None:
            for count, width in whole_and_rest(self._columns, M):
                self.repeat(2, count, lambda width=width: tile(height, width))  # type: ignore[misc]
            self.add(AT, AT, (height - 1) * self._columns * pixel)

        for count, height in whole_and_rest(self._rows, M):
            self.repeat(1, count, lambda height=height: row(height))  # type: ignore[misc]
        self.add(RESULT, RESULT, blocks * self._vector)

    def _clear_products(self, blocks: int) -> None:
        zero = self.registers[0]
        self.clear(zero)
        self.add(PRODUCTS, BASE, self._products_at)

        def store() -> None:
            self.move(zero, f"0({PRODUCTS})")
            self.add(PRODUCTS, PRODUCTS, self._vector)

        self.repeat(1, len(TERMS) ** 2 * self._tiles * blocks, store)

    def _for_few_channels(self, body: Callable[[], None]) -> None:
        """Emit ``body`` in a loop over the channels, a few at a time."""
        label = self.label()
        self.emit(f"mov $$-{self._turns * self._of_all_terms}, {AHEAD}", f"{label}:")
        body()
        self.emit(f"add $${self._of_all_terms}, {AHEAD}", f"jnz {label}")

    def _multiply(self, blocks: int) -> None:
        """Add the products of the channels in turn."""
        self._transform_filters(blocks)
        for row in range(len(TERMS)):
            for column in range(len(TERMS)):
                self._multiply_part(row, column, blocks)

    def _transform_filters(self, blocks: int) -> None:
        """The weights of the channels in turn in 16 bits, and their sums g0 + g2 in both directions; afterwards FILTERS
        shows the weights that come next.
        """
        registers, of_a_tap = self.registers, self._channels * self.tile.lanes  # bytes of a vector of filters
        filters = [registers[TAPS * row : TAPS * (row + 1)] for row in range(TAPS)]
        sums, last = registers[TAPS**2 : TAPS * (TAPS + 1)], registers[TAPS * (TAPS + 1)]

        def word() -> None:
            for row, taps in enumerate(filters):
                for column, register in enumerate(taps):
                    self.emit(f"vpmovsxbw {(row * TAPS + column) * of_a_tap}({FILTERS}), {register}")
            for first, third, total in zip(filters[0], filters[2], sums, strict=True):
                self.emit(f"vpaddw {third}, {first}, {total}")
            for row, taps in enumerate((*filters, sums)):
                self.emit(f"vpaddw {taps[2]}, {taps[0]}, {last}")
                for column, register in enumerate((*taps, last)):
                    self.move(register, f"{(row * SUMS + column) * self._filters}({WEIGHTS})")
            self.add(FILTERS, FILTERS, self.tile.lanes * CODE)
            self.add(WEIGHTS, WEIGHTS, self.tile.lanes * WORD)

        def block() -> None:
            self.repeat(2, self._few // 2, word)
            self.add(FILTERS, FILTERS, TAPS**2 * of_a_tap - self._few * self.tile.lanes)
            self.add(WEIGHTS, WEIGHTS, (SUMS**2 - 1) * self._filters)

        self.add(WEIGHTS, BASE, self._sums_at)
        self.repeat(1, blocks, block)
        self.add(FILTERS, FILTERS, self._few * self.tile.lanes - blocks * TAPS**2 * of_a_tap)
        last = self.label()
        self.emit(f"cmp $$-{self._of_all_terms}, {AHEAD}", f"jne {last}")
        self.add(FILTERS, FILTERS, (blocks * TAPS**2 - 1) * of_a_tap)
        self.emit(f"{last}:")

    def _multiply_part(self, row: int, column: int, blocks: int) -> None:
        """The products of a part of all tiles."""
        down = self._rows // M if row == SECOND_ALONE else self._down
        across = self._across_parts[column]
        if not down * across:
            return
        self._bring_near(TAPS * row + column, blocks)
        first_term = sum(map(len, TERMS[:row]))
        first = self._place(first_term, column) + self._turns * self._of_all_terms
        self.emit(f"lea {first}({BASE},{AHEAD}), {DATA}")
        self.add(PRODUCTS, BASE, self._products_at + self._part_at(row, column, blocks))
        most = (len(self.registers) - 1 - self.products - blocks) // blocks
        sizes = [len(group) for group in split_evenly(down * across, most)]
        for size in sorted(set(sizes)):
            self.repeat(1, sizes.count(size), lambda size=size: self._multiply_tiles(row, column, size, blocks))  # type: ignore[misc]

    def _bring_near(self, tap: int, blocks: int) -> None:
        """Bring the next weights of a tap near, of which many layers have more than a core's own caches hold."""
        of_a_tap = self._channels * self.tile.lanes
        for block in range(blocks):
            for line in range(0, self._few * self.tile.lanes, LINE):
                self.emit(f"prefetcht0 {(block * TAPS**2 + tap) * of_a_tap + line}({FILTERS})")

    def _multiply_tiles(self, row: int, column: int, tiles: int, blocks: int) -> None:
        rows, columns = len(TERMS[row]), len(TERMS[column])
        sums, data = self.registers[: tiles * blocks], columns * self._few_bytes
        for place, register in enumerate(sums):
            self.move(f"{place * self._vector}({PRODUCTS})", register)
        first_sum = FIRST_SUM[row] * SUMS + FIRST_SUM[column]
        self.add(WEIGHTS, BASE, self._sums_at + first_sum * self._filters)

        def term() -> None:
            self.repeat(2, columns * self._few // 2 // UNROLLED, lambda: self._words(tiles, blocks, data))
            self.add(DATA, DATA, ALL_TERMS * self._of_a_term - data)
            self.add(WEIGHTS, WEIGHTS, (SUMS - columns) * self._filters)

        self.repeat(3, rows, term)
        self.add(DATA, DATA, tiles * data - rows * ALL_TERMS * self._of_a_term)
        for place, register in enumerate(sums):
            self.move(register, f"{place * self._vector}({PRODUCTS})")
        self.add(PRODUCTS, PRODUCTS, len(sums) * self._vector)

    def _part_at(self, row: int, column: int, blocks: int) -> int:
        return (row * len(TERMS) + column) * self._tiles * blocks * self._vector

    def _add_parts(self, block: int, blocks: int, height: int, width: int) -> None:
        """The pixels of a vector of filters of a tile, of which ``height`` x ``width`` lie in the image."""
        count = len(TERMS)
        registers = [self.registers[count * row : count * (row + 1)] for row in range(count)]
        for row in self._parts(height):
            for column in self._parts(width):
                pointer = SECOND if column == SECOND_ALONE else PRODUCTS
                place = self._part_at(row, column, blocks) + block * self._vector
                self.move(f"{place}({pointer})", registers[row][column])
        for row in range(height):
            for column in self._parts(width):
                total = registers[row][column]
                self.emit(f"vpaddd {registers[BOTH][column]}, {total}, {total}")
            for column in range(width):
                total = registers[row][column]
                self.emit(f"vpaddd {registers[row][BOTH]}, {total}, {total}")
                place = (row * self._columns + column) * self.tile.blocks + block
                self.move(total, f"{place * self._vector}({AT})")


class Avx2StridedWinogradKernel(StridedWinogradKernel):
    """With AVX2."""

    registers = Avx2WinogradKernel.registers


class Avx512StridedWinogradKernel(StridedWinogradKernel):
    """With AVX-512 BW."""

    registers = Avx512WinogradKernel.registers
