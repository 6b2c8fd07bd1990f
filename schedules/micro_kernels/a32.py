"""A32 (ARMv7): registers by their use in micro-kernels, loops and pointers."""

from __future__ import annotations

from collections.abc import Callable

from b2nn_tvm.schedules.micro_kernels.micro_kernel import MicroKernel

X, W, Y, S = "r0", "r1", "r2", "r3"  # image, weights, result, scratch memory
PIXELS = ("r4", "r5", "r6", "r8")  # pointers to pixels; r10 and r12 are each kernel's own
COUNTERS = ("r9", "lr")
VECTORS = tuple(f"q{n}" for n in range(16))


class A32Kernel(MicroKernel):
    """The base class of micro-kernels in A32: their loops, additions and pointers."""

    arguments = (X, W, Y, S)

    def repeat(self, counter: int, times: int, body: Callable[[], None]) -> None:
        if times < 2:
            return body() if times else None
        label = self.label()
        self.emit(f"movw {COUNTERS[counter]}, #{times}", f"{label}:")
        body()
        self.emit(f"subs {COUNTERS[counter]}, {COUNTERS[counter]}, #1", f"bne {label}")
        return None

    def add(self, to: str, register: str, number: int) -> None:
        """to = register + number, for a number of any size, eight bits at a time, as many as an instruction holds."""
        left, name = abs(number), "add" if number >= 0 else "sub"
        parts = [left & (0xFF << shift) for shift in (0, 8, 16, 24) if left & (0xFF << shift)]
        for part in parts or [0]:
            self.emit(f"{name} {to}, {register}, #{part}")
            register = to
