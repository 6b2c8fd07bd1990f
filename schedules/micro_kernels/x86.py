"""x86-64: registers by their use in micro-kernels, loops and pointers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from b2nn_tvm.schedules.micro_kernels.micro_kernel import MicroKernel

X, W, Y, SCRATCH = "%rdi", "%rsi", "%rdx", "%rcx"  # image, weights, result, scratch memory
ZMM, YMM = (tuple(f"%{kind}{number}" for number in range(count)) for kind, count in (("zmm", 32), ("ymm", 16)))


def named(register: str, width: int) -> str:
    """The part of a vector register that has ``width`` bytes."""
    return f"%{ {16: 'x', 32: 'y', 64: 'z'}[width] }{register[2:]}"


class X86Kernel(MicroKernel):
    """The base class of micro-kernels for x86-64: their loops, additions and vector registers."""

    arguments = ("rdi", "rsi", "rdx", "rcx")
    general: Sequence[str]  # the general registers in use beside those of the arguments
    counters: Sequence[str]  # those among them that count loops
    registers: Sequence[str]  # ZMM or YMM

    @property
    def clobbers(self) -> tuple[str, ...]:  # type: ignore[override]
        return (*(register.removeprefix("%") for register in (*self.general, *self.registers)), "flags")

    def repeat(self, counter: int, times: int, body: Callable[[], None]) -> None:
        if times < 2:
            return body() if times else None
        label = self.label()
        self.emit(f"mov $${times}, {self.counters[counter]}", f"{label}:")
        body()
        self.emit(f"dec {self.counters[counter]}", f"jnz {label}")
        return None

    def add(self, to: str, register: str, number: int) -> None:
        if number or to != register:
            self.emit(f"lea {number}({register}), {to}")

    def move(self, source: str, to: str) -> None:
        """Emit to = source, of which one is a register of any width, and the other one a register or memory."""
        self.emit(f"{'vmovdqu32' if self.registers is ZMM else 'vmovdqu'} {source}, {to}")

    def clear(self, register: str) -> None:
        """Emit register = 0."""
        self.emit(f"{'vpxord' if self.registers is ZMM else 'vpxor'} {register}, {register}, {register}")
