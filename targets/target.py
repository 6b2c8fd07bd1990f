"""A target is a TOML file beside this file, named by its command-line word and read into frozen, checked data."""

from __future__ import annotations

import platform
import re
import sys
import tomllib
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from b2nn_tvm.errors import TargetError

if TYPE_CHECKING:
    from tvm.target import Target

VECTORS = ("neon", "neon_dotprod", "neon_armv7", "avx2", "avxvnni", "avx512", "avx512vpopcntdq")
NATIVE = "native"
FOLDER = Path(__file__).parent  # the folder of the TOML files

_FIRST_WORDS = 3  # of a target's other words, which an error names
_CLOSE = 0.8  # of difflib: with less, another maker's word may be the closest one
# Words for what there is no target for, without hyphens and the like, and why.
_NO_TARGETS = (
    (
        r"armv6l?|linux/arm/v6|arm1176.*|bcm2835|rpi[01]|(raspberry|r)?pizerow?",
        "Armv6 has no NEON; a Raspberry Pi 2 or Zero 2 W has it",
    ),
    (r"cortexa[589]", "this CPU has no fused multiply-add (VFPv4), which the target armv7 needs"),
    (r"cortexm.*|cortexr.*|stm32.*|esp32.*|arduino.*|rp2040|rp2350", "libraries need Linux, which runs not on it"),
    (r"windows.*|win(32|64)|macos.*|darwin.*|ios|apple.*|m[1-4]|android.*", "libraries are for Linux"),
    (r"cuda.*|gpu|nvidia.*|tensorrt|rocm|opencl|vulkan|metal|npu|tpu|hailo.*|coral", "libraries run on CPUs"),
    (
        r"i[3-6]86|x86(32)?linux|linux/386|riscv.*|mips.*|ppc.*|powerpc.*|s390x|wasm.*|loongarch.*",
        "expected ARM or 64-bit x86",
    ),
)


@dataclass(frozen=True)
class TargetInfo:
    """The CPU and the system for which a library is compiled.

    ``vector`` is the instruction set by which the schedules are chosen. ``requires`` are the CPU flags, as Linux prints
    them, without which the library must not start. ``gnu_prefix``, ``zig_target`` and ``zig_mcpu`` say how to call a
    cross compiler. ``emulator`` is QEMU's name of the oldest CPU that the target is for. Raises TargetError for an
    unknown ``vector``.
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
        """The features that this machine lacks to run a library of this target; empty where the library runs."""
        if host_arch() != self.arch:
            return (f"a CPU of architecture {self.arch} (this one is {host_arch()})",)
        return tuple(flag for flag in self.requires if flag not in host_flags())

    @property
    def runs_here(self) -> bool:
        return not self.missing

    def tvm_target(self) -> Target:
        """The ``tvm.target.Target`` of this target; this method is the one place where this file loads TVM."""
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
    """The architecture of this process, which may have 32 bits on the 64-bit kernel of newer Raspberry Pis."""
    return "armv7l" if platform.machine() == "aarch64" and sys.maxsize < 2**32 else platform.machine()


@cache
def host_flags() -> frozenset[str]:
    """The feature flags of this machine's CPU as Linux prints them; empty where they cannot be read."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            flags = frozenset(value.split())
            return flags | {"neon", "vfpv4"} if "asimd" in flags else flags  # 64-bit systems print asimd for both
    return frozenset()


def names() -> tuple[str, ...]:
    """The names of the targets: the words that ``--target`` takes."""
    return (*sorted(path.stem for path in FOLDER.glob("*.toml")), NATIVE)


def aliases(name: str) -> tuple[str, ...]:
    """The other words for the target ``name``: boards and CPUs that it is for, and what other tools call them."""
    return ("host", "local", "cpu") if name == NATIVE else tuple(_fields(name).get("aliases", ()))


def get(word: str) -> TargetInfo:
    """The target of this name or alias, in capitals or not, with or without hyphens, underscores, dots and spaces.

    Raises TargetError where there is none, with the choices, or with the reason why there is none.
    """
    name = word if word in names() else _names_by_word().get(_plain(word))
    if name is None:
        raise TargetError(f"unknown target {word!r}; {_hint(word)}")
    if name == NATIVE:
        return _native()
    fields = _fields(name)
    fields.pop("aliases", None)
    lists = {key: tuple(value) for key, value in fields.items() if isinstance(value, list)}
    return TargetInfo(name=name, **{**fields, **lists})


def levels_above(target: TargetInfo) -> tuple[TargetInfo, ...]:
    """The shipped targets whose code a library for ``target`` may hold as well, to run it where the CPU has all that
    they require: targets of the same system that require more and have another instruction set, one for each set.

    They are in the order of what they require: of those that a CPU has, the last one is the best.
    """
    shipped = [
        each for each in map(get, names()[:-1]) if (each.triple, each.float_abi) == (target.triple, target.float_abi)
    ]
    more = [each for each in shipped if {*each.requires} > {*target.requires} and each.vector != target.vector]
    by_vector = {each.vector: each for each in more}
    return tuple(sorted(by_vector.values(), key=lambda each: len(each.requires)))


def _fields(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def _names_by_word() -> dict[str, str]:
    """The name of the target for each word, in its plain form."""
    return {_plain(word): name for name in names() for word in (name, *aliases(name))}


def _plain(word: str) -> str:
    """``word`` in the form in which words are compared: raspberry-pi-4-model-b, Pi 4B and rpi4 are rpi4."""
    plain = re.sub(r"[-_. ]", "", word.lower())
    board = re.fullmatch(r"(?:rasp?berr?y|r)?pi(zero2|\d+)w?(?:model)?b?\+?", plain)
    return f"rpi{board[1]}" if board else plain


def _hint(word: str) -> str:
    """Why there is no target for ``word``, or which one may be meant, and the choices."""
    plain = _plain(word)
    reason = next((reason for pattern, reason in _NO_TARGETS if re.fullmatch(pattern, plain)), "")
    alike = [each for each in _names_by_word() if _digits(each) == _digits(plain)]  # an A710 is no misspelled A7
    close = [] if reason else get_close_matches(plain, alike, n=1, cutoff=_CLOSE)
    hint = reason or (f"perhaps {_names_by_word()[close[0]]} is meant" if close else "")
    known = ", ".join(f"{each} ({', '.join(aliases(each)[:_FIRST_WORDS])}, ...)" for each in names())
    return f"{hint}{'; ' if hint else ''}the targets, with other words for them, are {known}"


def _digits(word: str) -> str:
    return re.sub("[^0-9]", "", word)


def _native() -> TargetInfo:
    """The shipped target that requires the most CPU flags and still runs on this machine."""
    running = [target for target in map(get, names()[:-1]) if target.runs_here]
    if not running:
        shipped = ", ".join(names()[:-1])
        raise TargetError(
            f"target native: this CPU ({host_arch()}) runs none of the shipped targets: {shipped}; name one to build"
            " for it"
        )
    best = max(running, key=lambda target: len(target.requires))  # the first of equals, which is the most general
    return replace(best, name=NATIVE, description=f"this machine ({best.name})")
