"""The micro-kernel of the binary convolution in bytes: assembly, because the order of its instructions matters.

    for each block of filters, for each group of pixels:      registers hold a sum of each pixel and vector of filters
        for each kernel row, for each run of neighbouring bytes, for each chunk of at most 31 bytes:
            sums (uint8) = sum over the bytes of popcount(x xor w);  store the sums
        total (uint16) = sum of the stored sums

In-order cores stall wherever a result is read too early, and LLVM, given loops instead, spills registers or orders them for another core.
Instruction sets derive from ``PopcountKernel`` (popcount_a64.py, popcount_a32.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from b2nn_tvm.schedules.tile import Tile

VECTOR = 16  # bytes, and filters, of a register
STEP = 8  # bytes of a pixel that are loaded at a time
CHUNK = 24  # bytes summed in uint8: whole steps, with up to 7 more at the end of a run; at most 31 (31 * 8 = 248)
SCRATCH = 16384  # bytes of stored sums: half of a first-level cache


@dataclass(frozen=True)
class PopcountTile:
    """The sums of one call: ``pixels`` are the byte offsets of their windows in the image, ``runs`` those of the runs of
    ``run_bytes`` neighbouring bytes in a kernel row, of which there are ``rows``, ``row_stride`` apart.

    Weights: [blocks, rows, runs, run bytes, lanes], contiguous. Result: uint16 [pixels, blocks * lanes].
    """

    pixels: tuple[int, ...]
    runs: tuple[int, ...]
    run_bytes: int
    rows: int
    row_stride: int
    blocks: int
    lanes: int

    @property
    def vectors(self) -> int:
        """Vectors of filters in a block."""
        return self.lanes // VECTOR

    @property
    def chunks_of_run(self) -> tuple[int, ...]:
        """The bytes of each chunk of a run, full ones first."""
        full, rest = divmod(self.run_bytes, CHUNK)
        if not rest:
            return (CHUNK,) * full
        if rest < STEP and full:
            return (*(CHUNK,) * (full - 1), CHUNK + rest)
        return (*(CHUNK,) * full, rest)

    @property
    def chunks(self) -> int:
        return self.rows * len(self.runs) * len(self.chunks_of_run)


def popcount_tile(
    image: tuple[int, ...],
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    tile: Tile,
    lanes: int,
) -> PopcountTile:
    """The tile of a convolution of ``kernel`` (height, width) over a padded ``image`` [N, H, W, bytes]."""
    size, row = image[3], image[2] * image[3]
    neighbours = dilation[1] == 1 or kernel[1] == 1
    return PopcountTile(
        pixels=tuple(r * stride[0] * row + q * stride[1] * size for r in range(tile.rows) for q in range(tile.columns)),
        runs=(0,) if neighbours else tuple(tap * dilation[1] * size for tap in range(kernel[1])),
        run_bytes=kernel[1] * size if neighbours else size,
        rows=kernel[0],
        row_stride=dilation[0] * row,
        blocks=tile.blocks,
        lanes=lanes,
    )


class PopcountKernel(ABC):
    """Writes the assembly of a tile; subclasses know an instruction set. ``lines`` grows as parts are emitted."""

    arguments: tuple[str, ...]  # registers of x, w, y and the scratch memory; kept
    clobbers: tuple[str, ...]

    def __init__(self, tile: PopcountTile):
        self.tile = tile
        self.lines: list[str] = []
        self._labels = 0

    @abstractmethod
    def group_pixels(self, vectors: int) -> int:
        """The most pixels that fit the registers beside so many vectors of filters."""

    @abstractmethod
    def point(self, block: int, pixels: Sequence[int]) -> None:
        """Let the pointers show the first bytes of a block of filters and of pixels (their offsets)."""

    @abstractmethod
    def chunk(self, size: int) -> None:
        """Sum ``size`` bytes, store the sums, and advance the pointers."""

    @abstractmethod
    def skip(self, count: int) -> None:
        """Advance the pixels' pointers by so many bytes."""

    @abstractmethod
    def total(self, block: int, first_pixel: int) -> None:
        """Add up the stored sums of a group and store them as uint16."""

    @abstractmethod
    def repeat(self, counter: int, times: int, body) -> None:
        """Emit ``body`` in a loop; ``counter`` tells nested loops apart."""

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The pixels (their numbers) in groups of equal sizes, or nearly so."""
        stored = self.tile.chunks * self.tile.vectors * VECTOR
        most = max(1, min(self.group_pixels(self.tile.vectors), SCRATCH // stored))
        numbers = tuple(range(len(self.tile.pixels)))
        count = -(-len(numbers) // most)
        bounds = [len(numbers) * index // count for index in range(count + 1)]
        return tuple(numbers[first:end] for first, end in zip(bounds, bounds[1:]))

    @property
    def scratch_bytes(self) -> int:
        return max(map(len, self.groups)) * self.tile.vectors * VECTOR * self.tile.chunks

    def assembly(self) -> str:
        """The text, once; ``${:uid}`` in its labels is LLVM's."""
        if not self.lines:
            for block in range(self.tile.blocks):
                for group in self.groups:
                    self.group = group
                    self.point(block, [self.tile.pixels[number] for number in group])
                    self.repeat(0, self.tile.rows, self._row)
                    self.total(block, group[0])
        return "\n".join(self.lines)

    def label(self) -> str:
        self._labels += 1
        return f".Lb2nn_${{:uid}}_{self._labels}"

    def emit(self, *lines: str) -> None:
        self.lines.extend(lines)

    def _row(self) -> None:
        position = 0
        for run in self.tile.runs:
            self.skip(run - position)
            position = run + self.tile.run_bytes
            *equal, last = self.tile.chunks_of_run
            if not equal or equal[0] == last:
                self.repeat(1, len(equal) + 1, lambda size=last: self.chunk(size))
                continue
            self.repeat(1, len(equal), lambda: self.chunk(CHUNK))
            self.chunk(last)
        self.skip(self.tile.row_stride - position)


def kernel_ir(kernel: PopcountKernel) -> tuple[str, str]:
    """The micro-kernel as a function (x, w, y) of LLVM IR, and its name, which depends on the code alone."""
    text = kernel.assembly()
    name = "b2nn_popcount_" + sha256(text.encode()).hexdigest()[:16]
    escaped = text.replace("\n", "\\0A\\09")
    constraints = ",".join((*(f"{{{one}}}" for one in kernel.arguments), *(f"~{{{one}}}" for one in kernel.clobbers)))
    return (
        name,
        f"""\
define linkonce_odr hidden i32 @{name}(ptr %x, ptr %w, ptr %y) noinline nounwind {{
  %s = alloca [{kernel.scratch_bytes} x i8], align 16
  call void asm sideeffect "{escaped}", "{constraints},~{{memory}},~{{cc}}"(ptr %x, ptr %w, ptr %y, ptr %s)
  ret i32 0
}}
""",
    )
