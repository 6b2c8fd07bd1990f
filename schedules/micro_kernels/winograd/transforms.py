"""The transforms of Winograd's F(m x m, 3 x 3) of a row of numbers, for x86-64: each number of the row is a register.

Each function emits B^T d, in 16 bits, or A^T m, in 32 bits, of the first registers, and returns the registers that hold
the result; all registers may be overwritten. The matrices are those of ops/winograd_conv2d.py, but for the last column
of A^T of m = 4, which is four times as large (ops/int8_conv2d.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Emit = Callable[..., None]
Transform = Callable[[Emit, Sequence[str]], Sequence[str]]


def _input_of_two(emit: Emit, r: Sequence[str]) -> Sequence[str]:
    """d0 - d2, d1 + d2, d2 - d1, d1 - d3."""
    emit(f"vpsubw {r[2]}, {r[0]}, {r[0]}", f"vpaddw {r[2]}, {r[1]}, {r[4]}")
    emit(f"vpsubw {r[1]}, {r[2]}, {r[2]}", f"vpsubw {r[3]}, {r[1]}, {r[1]}")
    return r[0], r[4], r[2], r[1]


def _input_of_four(emit: Emit, r: Sequence[str]) -> Sequence[str]:
    """With p = d4 - 4 d2, q = d3 - 4 d1, s = d4 - d2, t = 2 (d3 - d1):
    4 (d0 - d2) + s, p + q, p - q, s + t, s - t, d5 - d3 - 2 t.
    """
    d0, d1, d2, d3, d4, d5, p, q, s, t, *free = r
    emit(f"vpsllw $$2, {d2}, {p}", f"vpsubw {p}, {d4}, {p}", f"vpsllw $$2, {d1}, {q}", f"vpsubw {q}, {d3}, {q}")
    emit(f"vpsubw {d2}, {d4}, {s}", f"vpsubw {d1}, {d3}, {t}", f"vpaddw {t}, {t}, {t}")
    emit(f"vpsubw {d2}, {d0}, {d0}", f"vpsllw $$2, {d0}, {d0}", f"vpaddw {s}, {d0}, {d0}")
    emit(f"vpaddw {q}, {p}, {free[0]}", f"vpsubw {q}, {p}, {free[1]}")
    emit(f"vpaddw {t}, {s}, {free[2]}", f"vpsubw {t}, {s}, {free[3]}")
    emit(f"vpsubw {d3}, {d5}, {d5}", f"vpaddw {t}, {t}, {t}", f"vpsubw {t}, {d5}, {d5}")
    return d0, *free[:4], d5


def _output_of_two(emit: Emit, r: Sequence[str]) -> Sequence[str]:
    """m0 + m1 + m2, m1 - m2 - m3."""
    emit(f"vpaddd {r[1]}, {r[0]}, {r[0]}", f"vpaddd {r[2]}, {r[0]}, {r[0]}")
    emit(f"vpsubd {r[2]}, {r[1]}, {r[1]}", f"vpsubd {r[3]}, {r[1]}, {r[1]}")
    return r[:2]


def _output_of_four(emit: Emit, r: Sequence[str]) -> Sequence[str]:
    """With p, q = m1 +- m2 and s, t = m3 +- m4:  m0 + p + s, q + 2 t, p + 4 s, q + 8 t + 4 m5."""
    m0, m1, m2, m3, m4, m5, p, q, s, t, *_ = r
    emit(f"vpaddd {m2}, {m1}, {p}", f"vpsubd {m2}, {m1}, {q}", f"vpaddd {m4}, {m3}, {s}", f"vpsubd {m4}, {m3}, {t}")
    emit(f"vpaddd {p}, {m0}, {m0}", f"vpaddd {s}, {m0}, {m0}")
    emit(f"vpaddd {t}, {t}, {m1}", f"vpaddd {q}, {m1}, {m1}")
    emit(f"vpslld $$2, {s}, {m2}", f"vpaddd {p}, {m2}, {m2}")
    emit(f"vpslld $$3, {t}, {m3}", f"vpaddd {q}, {m3}, {m3}", f"vpslld $$2, {m5}, {m5}", f"vpaddd {m5}, {m3}, {m3}")
    return m0, m1, m2, m3


INPUT_TRANSFORMS: Mapping[int, Transform] = {2: _input_of_two, 4: _input_of_four}
OUTPUT_TRANSFORMS: Mapping[int, Transform] = {2: _output_of_two, 4: _output_of_four}
