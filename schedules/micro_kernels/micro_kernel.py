"""A tile summed by assembly: a function of LLVM IR with the text inside, and its call in place of TVM's loops.

Where the order of instructions matters, LLVM's order is not always the wanted one: LLVM spills registers, or orders for
another core. Only the innermost loops are ours; the loops around a tile and the blocks behind it are TVM's.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable
from hashlib import sha256

import tvm
from tvm import s_tir, tirx
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV
from tvm.tirx import Expr

from b2nn_tvm.schedules.tiles.window_tile import WindowTile

MOST_ON_STACK = 1 << 15  # bytes of scratch memory; a thread's stack may be small


class MicroKernel(ABC):
    """Writes the assembly that sums a tile: y = sum over the windows of image and weights. ``lines`` grows as parts
    are emitted.
    """

    name: str
    result: str  # the type of y
    # Registers of the image, the weights, y, and scratch memory or the number of the call; they keep their values.
    arguments: tuple[str, ...]
    clobbers: tuple[str, ...]

    def __init__(self, tile: WindowTile):
        self.tile = tile
        self.lines: list[str] = []
        self._labels = 0

    @property
    def scratch_bytes(self) -> int:
        return 0

    @property
    def reads_ahead(self) -> bool:
        """Whether the kernel needs the number of its call, among those that read the same weights, and no scratch
        memory.
        """
        return False

    def assembly(self) -> str:
        """The text of the assembly; LLVM replaces ``${:uid}`` in its labels."""
        if not self.lines:
            self.sum_tile()
        return "\n".join(self.lines)

    @abstractmethod
    def sum_tile(self) -> None:
        """Emit all the assembly of the tile."""

    @abstractmethod
    def repeat(self, counter: int, times: int, body: Callable[[], None]) -> None:
        """Emit ``body`` in a loop; ``counter`` tells nested loops apart."""

    @abstractmethod
    def add(self, to: str, register: str, number: int) -> None:
        """Emit to = register + number."""

    def label(self) -> str:
        self._labels += 1
        return f".Lb2nn_${{:uid}}_{self._labels}"

    def emit(self, *lines: str) -> None:
        self.lines.extend(lines)


def split_evenly(count: int, most: int) -> tuple[range, ...]:
    """The numbers 0 .. count-1 in the fewest groups of at most ``most``, of equal or nearly equal sizes."""
    groups = -(-count // most)
    bounds = [count * index // groups for index in range(groups + 1)]
    return tuple(range(first, end) for first, end in itertools.pairwise(bounds))


def kernel_ir(kernel: MicroKernel) -> tuple[str, str]:
    """The micro-kernel as a function (image, weights, y) of LLVM IR, and its name, which depends on the code alone.

    Scratch memory that is too large for the stack, or the number of the call, is a fourth argument.
    """
    text = kernel.assembly()
    name = f"b2nn_{kernel.name}_{sha256(text.encode()).hexdigest()[:16]}"
    escaped = text.replace("\n", "\\0A\\09")
    registers = (*(f"{{{one}}}" for one in kernel.arguments), *(f"~{{{one}}}" for one in kernel.clobbers))
    given = kernel.scratch_bytes > MOST_ON_STACK
    fourth = ", i32 %s" if kernel.reads_ahead else ", ptr %s" if given else ""
    stack = "" if fourth else f"  %s = alloca [{max(kernel.scratch_bytes, 16)} x i8], align 16\n"
    return (
        name,
        f"""\
define linkonce_odr hidden i32 @{name}(ptr %x, ptr %w, ptr %y{fourth}) noinline nounwind {{
{stack}\
  call void asm sideeffect "{escaped}", "{",".join(registers)},~{{memory}},~{{cc}}"(ptr %x, ptr %w, ptr %y\
{fourth or ", ptr %s"})
  ret i32 0
}}
""",
    )


def put_kernel(sch: Schedule, block: SBlockRV, kernel: MicroKernel, *, number: Expr | None = None) -> None:
    """Put a call of a micro-kernel in place of ``block``: the loops of a tile and its initial zeros, which read image
    and weights. ``number`` is that of the call, for a kernel that reads ahead.
    """
    name, text = kernel_ir(kernel)
    old = sch.get(block)
    (sums,) = old.writes
    shape = [int(axis.extent) for axis in sums.region]
    start = tirx.Var("start", "int32")
    scope = str(sums.source.ty.storage_scope)
    part = tirx.decl_buffer(shape, kernel.result, "sums", scope=scope, offset_factor=1, elem_offset=start)
    scratch = [tirx.decl_buffer((kernel.scratch_bytes,), "uint8", "scratch")][: kernel.scratch_bytes > MOST_ON_STACK]
    addresses = [
        tirx.address_of(tirx.BufferLoad(read.source, [axis.min for axis in read.region])) for read in old.reads
    ]
    memory = [part.access_ptr("w"), *(buffer.access_ptr("rw") for buffer in scratch)]
    memory += [number.astype("int32")] if kernel.reads_ahead and number is not None else []
    call = tirx.Evaluate(tirx.call_extern("int32", name, *addresses, *memory))
    new = s_tir.SBlock(
        iter_vars=old.iter_vars,
        reads=old.reads,
        writes=old.writes,
        name_hint=old.name_hint,
        body=tirx.AttrStmt(tirx.const(0, "int32"), "pragma_import_llvm", tvm.ir.StringImm(text), call),
        match_buffers=[s_tir.MatchBufferRegion(part, sums)],
        alloc_buffers=scratch,
    )
    sch.state.replace(sch.get_sref(block), new, {old: new})
