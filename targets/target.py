"""A target: one TOML file beside this one per command-line word, read into frozen, checked data."""

from __future__ import annotations

import platform
import sys
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from b2nn_tvm.errors import TargetError

if TYPE_CHECKING:
    from tvm.target import Target

VECTORS = ("neon", "neon_armv7", "avx2", "avx512", "avx512vpopcntdq")
NATIVE = "native"
FOLDER = Path(__file__).parent  # of the TOML files


@dataclass(frozen=True)
class TargetInfo:
    """Where a library runs.

    ``vector`` is the instruction set the schedules are chosen by; ``requires`` are the CPU flags, as Linux prints them,
    without which the library must not start; ``gnu_prefix``, ``zig_target`` and ``zig_mcpu`` say how to call a cross
    compiler; ``emulator`` is QEMU's name of the oldest CPU among those that it is for.
    """

    name: str
    description: str
    arch: str
    triple: str
    mcpu: str
    vector: str
    cores: int
    requires: tuple[str, ...]
    gnu_prefix: str
    zig_target: str
    zig_mcpu: str
    emulator: str
    mattr: tuple[str, ...] = ()
    float_abi: str = ""

    def __post_init__(self) -> None:
        if self.vector not in VECTORS:
            raise TargetError(f"target {self.name}: vector is one of {', '.join(VECTORS)}, not {self.vector!r}")

    @property
    def missing(self) -> tuple[str, ...]:
        """What this machine lacks to run a library of this target; empty where it runs."""
        if host_arch() != self.arch:
            return (f"a CPU of architecture {self.arch} (this one is {host_arch()})",)
        return tuple(flag for flag in self.requires if flag not in host_flags())

    @property
    def runs_here(self) -> bool:
        return not self.missing

    def tvm_target(self) -> Target:
        """The ``tvm.target.Target`` of this target; the one place where TVM is loaded."""
        from tvm.target import Target

        fields: dict[str, str | int | list[str]] = {
            "kind": "llvm",
            "mtriple": self.triple,
            "mcpu": self.mcpu,
            "num-cores": self.cores,
        }
        if self.mattr:
            fields["mattr"] = list(self.mattr)
        if self.float_abi:
            fields["mfloat-abi"] = self.float_abi
        return Target(fields)


def host_arch() -> str:
    """The architecture of this process: 32-bit systems of newer Raspberry Pis have a 64-bit kernel."""
    return "armv7l" if platform.machine() == "aarch64" and sys.maxsize < 2**32 else platform.machine()


@cache
def host_flags() -> frozenset[str]:
    """The CPU's feature flags as Linux prints them, empty where they cannot be read."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            flags = frozenset(value.split())
            return flags | {"neon", "vfpv4"} if "asimd" in flags else flags  # their names in 64-bit systems
    return frozenset()


def names() -> tuple[str, ...]:
    """The words that ``--target`` takes."""
    return (*sorted(path.stem for path in FOLDER.glob("*.toml")), NATIVE)


def get(name: str) -> TargetInfo:
    """The target of this name; TargetError lists the choices where there is none."""
    if name == NATIVE:
        return _native()
    path = FOLDER / f"{name}.toml"
    if name not in names():
        raise TargetError(f"unknown target {name!r}; the targets are {', '.join(names())}")
    fields = tomllib.loads(path.read_text(encoding="utf-8"))
    lists = {key: tuple(value) for key, value in fields.items() if isinstance(value, list)}
    return TargetInfo(name=name, **{**fields, **lists})


def _native() -> TargetInfo:
    """The shipped target that asks most of this machine's CPU and still runs on it."""
    running = [target for target in map(get, names()[:-1]) if target.runs_here]
    if not running:
        shipped = ", ".join(names()[:-1])
        raise TargetError(
            f"target native: this CPU ({host_arch()}) runs none of the shipped targets: {shipped}; name one to build"
            " for it"
        )
    best = max(running, key=lambda target: len(target.requires))  # of equals the first, which is the least particular
    return replace(best, name=NATIVE, description=f"this machine ({best.name})")
