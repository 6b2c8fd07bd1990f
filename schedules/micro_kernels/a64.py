"""A64 (AArch64): registers by their use in micro-kernels, loops and pointers."""

from __future__ import annotations

from collections.abc import Callable

from b2nn_tvm.schedules.micro_kernels.micro_kernel import MicroKernel

X, W, Y, S = "x0", "x1", "x2", "x3"  # image, weights, result, scratch memory
PIXELS = tuple(f"x{n}" for n in range(4, 12))  # pointers to pixels; x12 and x13 are each kernel's own
COUNTERS, SCRATCH = ("x14", "x15"), "x16"
VECTORS = tuple(f"v{n}" for n in range(32))


class A64Kernel(MicroKernel):
    """The base class of micro-kernels in A64: their loops, additions and constants."""

    arguments = (X, W, Y, S)

    def repeat(self, counter: int, times: int, body: Callable[[], None]) -> None:
        if times < 2:
            return body() if times else None
        label = self.label()
        self.emit(f"mov {COUNTERS[counter]}, #{times}", f"{label}:")
        body()
        self.emit(f"subs {COUNTERS[counter]}, {COUNTERS[counter]}, #1", f"b.ne {label}")
        return None

    def add(self, to: str, register: str, number: int) -> None:
        """to = register + number, for a number of any size."""
        size, name = abs(number), "add" if number >= 0 else "sub"
        if size < 4096:
            self.emit(f"{name} {to}, {register}, #{size}")
            return
        self.set(SCRATCH, size)
        self.emit(f"{name} {to}, {register}, {SCRATCH}")

    def set(self, register: str, number: int) -> None:
        """register = number, for a number of up to 32 bits."""
        self.emit(f"mov {register}, #{number & 0xFFFF}")
        if number >> 16:
            self.emit(f"movk {register}, #{number >> 16}, lsl #16")
