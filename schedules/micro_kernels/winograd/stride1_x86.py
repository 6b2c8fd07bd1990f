"""The sums of a few rows of pixels of an 8-bit 3x3 convolution of stride 1 on x86-64, by Winograd's F(m x m, 3 x 3) in
whole numbers.

    for each tile of m x m pixels:                  V = B^T d B of its codes, in 16 bits
    for each few vectors of filters:
        for each element of the tiles:              M = sum over the channels of V U, in 32 bits (a product of matrices)
        for each tile:                              y = A^T M A / scale

The result is exact. V and U (ops/int8_conv2d.py) are whole numbers of 16 bits. M and what is made of it wrap around:
``scale`` times y comes out modulo 2^32. Its odd factor is divided off by the multiplication with its inverse modulo
2^32, and its power of two by a shift. This is right where y times the power fits 32 bits, and the lowering takes no
other layers. LLVM's additions of 32 bits must not wrap around, so all of this is assembly.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from b2nn_tvm.ops.int8_conv2d import WINOGRAD_SCALE
from b2nn_tvm.schedules.micro_kernels.micro_kernel import split_evenly
from b2nn_tvm.schedules.micro_kernels.winograd.transforms import INPUT_TRANSFORMS, OUTPUT_TRANSFORMS
from b2nn_tvm.schedules.micro_kernels.x86 import SCRATCH, YMM, ZMM, W, X, X86Kernel, Y, named
from b2nn_tvm.schedules.tiles.window_tile import WindowTile

BASE = "%r15"  # the aligned part of the scratch memory: a tile on its way, all transformed tiles, products
IMAGE, TRANSFORMED = "%r8", "%r9"  # of a tile that is transformed
WEIGHTS, DATA, PRODUCTS = "%r8", "%r9", "%rax"  # of an element of the tiles
RESULT, AT = "%r12", "%r14"  # of a few vectors of filters: the first sum, and those of a tile
COUNTERS = ("%r13", "%r10", "%r11")
KERNEL = 3
CODE, SUM, WORD = 2, 4, 4  # bytes of a transformed code, of a sum, and of the two codes that are multiplied at once
ALIGNED = 64
UNROLLED = 2  # words of a turn of the innermost loop
BLOCKS = 2  # vectors of filters at a time
YMM_BYTES, ZMM_BYTES = 32, 64
ODD = 9  # the odd factor of the scale of F(4 x 4, 3 x 3)


def whole_and_rest(extent: int, m: int) -> tuple[tuple[int, int], ...]:
    """How many tiles have m rows (or columns), and how many have what is left over."""
    return (extent // m, m), (1 if extent % m else 0, extent % m)


class X86WinogradKernel(X86Kernel):
    """Sums of rows of tiles in x86-64's assembly; each subclass knows an instruction set. ``m`` is 2 or 4."""

    name = "winograd"
    result = "int32"
    general: Sequence[str] = (BASE, *COUNTERS, IMAGE, TRANSFORMED, PRODUCTS, RESULT, AT)
    counters: Sequence[str] = COUNTERS
    code: int  # bytes of a code of the image
    products = 0  # registers that a product needs before it is added

    def __init__(self, tile: WindowTile, m: int):
        super().__init__(tile)
        self._m, self._size = m, m + KERNEL - 1
        self._pixel = tile.run_bytes // KERNEL  # bytes of a pixel of the image
        self._channels = self._pixel // self.code
        self._columns = sum(pixel < tile.row_stride for pixel in tile.pixels)
        self._rows = len(tile.pixels) // self._columns
        self._down, self._across = -(-self._rows // m), -(-self._columns // m)
        self._tiles = self._down * self._across
        self._data = self._channels * CODE  # bytes of an element of a transformed tile
        self._vector = SUM * tile.lanes
        if self._channels % (YMM_BYTES // CODE):
            raise ValueError(f"{self._channels} channels are no multiple of {YMM_BYTES // CODE}")

    @property
    def _products_at(self) -> int:
        return self._data_at + self._size**2 * self._tiles * self._data

    @property
    def _data_at(self) -> int:
        return self._size**2 * ZMM_BYTES

    @property
    def scratch_bytes(self) -> int:
        blocks = min(BLOCKS, self.tile.blocks)
        return ALIGNED + self._products_at + self._size**2 * self._tiles * blocks * self._vector

    @abstractmethod
    def multiply(self, total: str, weights: str, word: str, free: str) -> None:
        """Emit total += weights * word, of pairs of 16 bits; ``weights`` is a register or a place in memory, and the
        register ``free`` may be used where there are ``products``.
        """

    def sum_tile(self) -> None:
        self.emit(f"lea {ALIGNED - 1}({SCRATCH}), {BASE}", f"and $$-{ALIGNED}, {BASE}")
        self._transform_image()
        self.add(WEIGHTS, W, 0)
        self.add(RESULT, Y, 0)
        if self._m == 4:  # whose scale has the odd factor 9
            number = self.registers[-1]
            self.emit(f"mov $${pow(ODD, -1, 1 << 32)}, %eax", f"vmovd %eax, {named(number, 16)}")
            self.emit(f"vpbroadcastd {named(number, 16)}, {number}")
        sizes = [len(group) for group in split_evenly(self.tile.blocks, BLOCKS)]
        for size in sorted(set(sizes)):
            self.repeat(0, sizes.count(size), lambda size=size: self._sum_blocks(size))  # type: ignore[misc]

    # ---- the image

    def _transform_image(self) -> None:
        width = next(width for width in (ZMM_BYTES, YMM_BYTES) if self.fits(width))
        step = width // CODE * self.code
        self.add(IMAGE, X, 0)
        self.add(TRANSFORMED, BASE, self._data_at)

        def vector() -> None:
            self._transform_vector(width)
            self.add(IMAGE, IMAGE, step)
            self.add(TRANSFORMED, TRANSFORMED, width)

        def tile() -> None:
            self.repeat(2, self._data // width, vector)
            self.add(IMAGE, IMAGE, (self._m - 1) * self._pixel)

        def row() -> None:
            self.repeat(1, self._across, tile)
            self.add(IMAGE, IMAGE, self._m * (self.tile.row_stride - self._across * self._pixel))

        self.repeat(0, self._down, row)

    def fits(self, width: int) -> bool:
        """Whether codes are transformed in vectors of ``width`` bytes."""
        return self._data % width == 0 and width <= (ZMM_BYTES if self.registers is ZMM else YMM_BYTES)

    def _transform_vector(self, width: int) -> None:
        """B^T d B of a vector of channels of a tile: first the columns, then the rows of what that gives."""
        registers = [named(register, width) for register in self.registers[:16]]
        size, stride = self._size, self._tiles * self._data
        transform = INPUT_TRANSFORMS[self._m]
        for column in range(size):
            for row, register in enumerate(registers[:size]):
                place = f"{row * self.tile.row_stride + column * self._pixel}({IMAGE})"
                self.emit(f"vpmovzxbw {place}, {register}" if self.code == 1 else self._copy(place, register))
            for row, register in enumerate(transform(self.emit, registers)):
                self.emit(self._copy(register, f"{(row * size + column) * width}({BASE})"))
        for row in range(size):
            for column, register in enumerate(registers[:size]):
                self.emit(self._copy(f"{(row * size + column) * width}({BASE})", register))
            for column, register in enumerate(transform(self.emit, registers)):
                self.emit(self._copy(register, f"{(row * size + column) * stride}({TRANSFORMED})"))

    def _copy(self, source: str, to: str) -> str:
        return f"{'vmovdqu32' if 'zmm' in source + to else 'vmovdqu'} {source}, {to}"

    # ---- a few vectors of filters

    def _sum_blocks(self, blocks: int) -> None:
        """All sums of ``blocks`` vectors of filters."""
        self.add(DATA, BASE, self._data_at)
        self.add(PRODUCTS, BASE, self._products_at)
        self.repeat(1, self._size**2, lambda: self._multiply_element(blocks))
        self.add(WEIGHTS, WEIGHTS, (blocks - 1) * self._size**2 * self._filters)
        self.add(PRODUCTS, BASE, self._products_at)
        self.add(AT, RESULT, 0)

        pixel = self.tile.blocks * self._vector  # bytes of the sums of a pixel

        def tile(height: int, width: int) -> None:
            for block in range(blocks):
                self._transform_products(block, blocks, height, width)
            self.add(PRODUCTS, PRODUCTS, blocks * self._vector)
            self.add(AT, AT, width * pixel)

        def row(height: int) -> None:
            for count, width in whole_and_rest(self._columns, self._m):
                self.repeat(2, count, lambda width=width: tile(height, width))  # type: ignore[misc]
            self.add(AT, AT, (height - 1) * self._columns * pixel)

        for count, height in whole_and_rest(self._rows, self._m):
            self.repeat(1, count, lambda height=height: row(height))  # type: ignore[misc]
        self.add(RESULT, RESULT, blocks * self._vector)

    @property
    def _filters(self) -> int:
        """Bytes of the weights of an element of a vector of filters."""
        return self._channels * CODE * self.tile.lanes

    def _multiply_element(self, blocks: int) -> None:
        """The products of an element of all tiles; the pointers advance to those of the next one."""
        numbers = 1 if self._m == 4 else 0  # the last register holds a number
        most = (len(self.registers) - 1 - self.products - blocks - numbers) // blocks
        for number, group in enumerate(groups := split_evenly(self._tiles, most)):
            sums = self.registers[: len(group) * blocks]
            for register in sums:
                self.clear(register)
            words = self._channels // 2
            self.repeat(2, words // UNROLLED, lambda group=group: self._words(len(group), blocks, self._data))  # type: ignore[misc]
            for place, register in enumerate(sums):
                self.move(register, f"{place * self._vector}({PRODUCTS})")
            self.add(DATA, DATA, (len(group) - 1) * self._data)
            self.add(PRODUCTS, PRODUCTS, len(sums) * self._vector)
            self.add(WEIGHTS, WEIGHTS, -self._filters if number + 1 < len(groups) else 0)

    def _words(self, tiles: int, blocks: int, data: int) -> None:
        """Add the products of the next words of each tile, which are ``data`` bytes apart, and let the pointers
        advance.
        """
        sums, rest = self.registers[: tiles * blocks], self.registers[tiles * blocks :]
        word, held = rest[0], rest[1 : 1 + blocks]
        free = rest[1 + blocks] if self.products else word
        for number in range(UNROLLED):
            for block, register in enumerate(held):
                place = block * self._size**2 * self._filters + number * WORD * self.tile.lanes
                self.move(f"{place}({WEIGHTS})", register)
            for tile in range(tiles):
                self.emit(f"vpbroadcastd {tile * data + number * WORD}({DATA}), {word}")
                for block, weights in enumerate(held):
                    self.multiply(sums[tile * blocks + block], weights, word, free)
        self.add(DATA, DATA, UNROLLED * WORD)
        self.add(WEIGHTS, WEIGHTS, UNROLLED * WORD * self.tile.lanes)

    def _transform_products(self, block: int, blocks: int, height: int, width: int) -> None:
        """A^T M A / scale of a vector of filters of a tile, of which ``height`` x ``width`` pixels lie in the image:
        first the columns, then the rows of what that gives.
        """
        size, vector = self._size, self._vector
        registers, stride = self.registers[:16], self._tiles * blocks * vector
        transform = OUTPUT_TRANSFORMS[self._m]
        for column in range(size):
            for row, register in enumerate(registers[:size]):
                self.move(f"{(row * size + column) * stride + block * vector}({PRODUCTS})", register)
            for row, register in enumerate(transform(self.emit, registers)[:height]):
                self.move(register, f"{(row * size + column) * vector}({BASE})")
        shift = (WINOGRAD_SCALE[self._m] & -WINOGRAD_SCALE[self._m]).bit_length() - 1
        for row in range(height):
            for column, register in enumerate(registers[:size]):
                self.move(f"{(row * size + column) * vector}({BASE})", register)
            for column, register in enumerate(transform(self.emit, registers)[:width]):
                if self._m == 4:
                    self.emit(f"vpmulld {self.registers[-1]}, {register}, {register}")
                self.emit(f"vpsrad $${shift}, {register}, {register}")
                place = (row * self._columns + column) * self.tile.blocks + block
                self.move(register, f"{place * vector}({AT})")


class PairWinogradKernel(X86WinogradKernel):
    """Pairs of products by vpmaddwd, which cannot saturate."""

    code, products = 2, 1

    def multiply(self, total: str, weights: str, word: str, free: str) -> None:
        self.emit(f"vpmaddwd {weights}, {word}, {free}", f"vpaddd {free}, {total}, {total}")


class Avx2WinogradKernel(PairWinogradKernel):
    """With AVX2."""

    registers = YMM


class Avx512WinogradKernel(PairWinogradKernel):
    """With AVX-512 BW."""

    registers = ZMM


class VnniWinogradKernel(X86WinogradKernel):
    """With AVX-512 VNNI."""

    registers, code = ZMM, 1

    def multiply(self, total: str, weights: str, word: str, free: str) -> None:
        self.emit(f"vpdpwssd {weights}, {word}, {total}")


class AvxVnniWinogradKernel(X86WinogradKernel):
    """With AVX-VNNI."""

    registers, code = YMM, 1

    def multiply(self, total: str, weights: str, word: str, free: str) -> None:
        self.emit(f"{{vex}} vpdpwssd {weights}, {word}, {total}")
