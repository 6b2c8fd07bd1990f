"""Targets: every shipped file is a valid target, and says truly whether this machine runs it."""

import platform
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import pytest

from b2nn_tvm.errors import TargetError
from b2nn_tvm.targets import target as module
from b2nn_tvm.targets.target import NATIVE, VECTORS, TargetInfo, aliases, get, host_flags, levels_above, names

ROOT = Path(__file__).parents[2]
SHIPPED = tuple(name for name in names() if name != NATIVE)
# What LLVM must be told the CPU has, by vector unit, for the schedules to compile to the instructions they count on.
FEATURES = {
    "neon": "neon",
    "neon_dotprod": "dotprod",
    "neon_armv7": "neon",
    "avx2": "avx2",
    "avxvnni": "avxvnni",
    "avx512": "avx512bw",
    "avx512vpopcntdq": "avx512vpopcntdq",
}


def test_the_shipped_targets():
    assert names() == (
        *("arm", "armv7", "rpi3", "rpi4", "rpi5", "x86", "x86-avx512", "x86-avxvnni", "x86-vpopcntdq", "native"),
    )
    assert len(set(names())) == len(names())


@pytest.mark.parametrize("name", SHIPPED)
def test_every_file_is_a_target(name):
    info = get(name)
    assert info.name == name and info.vector in VECTORS
    for field in fields(TargetInfo):
        if field.name not in ("mattr", "float_abi"):
            assert getattr(info, field.name), field.name
    assert info.cores > 0 and isinstance(info.requires, tuple)
    assert info.triple.startswith(info.arch)
    gnu = info.triple.replace("armv7l", "arm")  # as compilers name it
    assert info.zig_target.startswith(gnu) and info.gnu_prefix == gnu + "-"
    assert (info.float_abi == "hard") == info.triple.endswith("gnueabihf")  # else LLVM makes soft-float code of it
    with pytest.raises(FrozenInstanceError):
        info.name = "other"


@pytest.mark.parametrize("name", SHIPPED)
def test_tvm_knows_the_target(name):
    """In TVM an unknown CPU is accepted in silence, and compiled for as if it had nothing: so ask for a feature."""
    from tvm.target.codegen import llvm_cpu_has_features

    info = get(name)
    target = info.tvm_target()
    assert (str(target.attrs["mcpu"]), int(target.attrs["num-cores"])) == (info.mcpu, info.cores)
    assert llvm_cpu_has_features(FEATURES[info.vector], target)
    if info.arch == "x86_64":  # NEON is part of every AArch64
        assert not llvm_cpu_has_features(FEATURES[info.vector], replace(info, mcpu="x86-64", mattr=()).tvm_target())


def test_attributes_and_the_float_abi_reach_tvm():
    info = replace(get("arm"), mattr=("+dotprod",), float_abi="hard")
    attrs = info.tvm_target().attrs
    assert [str(attribute) for attribute in attrs["mattr"]] == ["+dotprod"] and str(attrs["mfloat-abi"]) == "hard"


def test_an_unknown_word_lists_the_choices():
    """With the other words for each, so that a user finds the own board."""
    text = r"unknown target 'k210'; the targets, .* are arm \(aarch64, arm64, armv8, \.\.\.\), .* rpi4 \(pi4, .*\), .*"
    with pytest.raises(TargetError, match=text):
        get("k210")


@pytest.mark.parametrize(("word", "meant"), [("cortex-a7x2", "rpi4"), ("rpi5x", "rpi5"), ("x86-awx512", "x86-avx512")])
def test_an_unknown_word_is_answered_with_the_closest_one(word, meant):
    with pytest.raises(TargetError, match=f"unknown target '{word}'; perhaps {meant} is meant; the targets, "):
        get(word)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("arm", ("aarch64", "arm64", "armv8", "ARM", "AArch64", "linux/arm64", "arm64-v8a", "aarch64-linux-gnu")),
        ("armv7", ("armhf", "armv7l", "arm32", "armv7-a", "armeabi-v7a", "arm-linux-gnueabihf")),
        ("rpi3", ("pi3", "raspberrypi3", "raspberry-pi-3", "cortex-a53", "RPi-3", "Raspberry Pi 3B+", "Pi Zero 2 W")),
        (
            "rpi4",
            (
                "pi4",
                "pi4b",
                "rpi4b",
                "raspberrypi4",
                "raspberry-pi-4",
                "raspberry_pi_4",
                "cortex-a72",
                "Cortex-A72",
            ),
        ),
        ("rpi5", ("pi5", "raspberrypi5", "Raspberry Pi 5", "rasberrypi5", "cortex-a76", "armv8.2-a", "CM5")),
        ("x86", ("x86_64", "x86-64", "amd64", "x64", "avx2", "haswell", "znver2", "x86_64-linux-gnu")),
        ("x86-avx512", ("x86_avx512", "avx512", "cascadelake")),
        ("x86-vpopcntdq", ("icelake-client", "sapphirerapids", "znver4")),
        ("native", ("host", "local", "cpu")),
        ("x86-avxvnni", ("x86_avxvnni", "AVX-VNNI", "alderlake")),
    ],
)
def test_the_words_that_people_use(name, words):
    for word in words:
        assert get(word) == get(name), word
    assert set(aliases(name)) & set(words)


def test_a_word_means_one_target():
    words = [re.sub("[-_. ]", "", word.lower()) for name in names() for word in (name, *aliases(name))]
    assert len(set(words)) == len(words) > 100


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("x86", ["x86-avxvnni", "x86-avx512", "x86-vpopcntdq"]),
        ("x86-avx512", ["x86-vpopcntdq"]),
        ("arm", ["rpi5"]),
        ("rpi4", ["rpi5"]),
        *((name, []) for name in ("rpi5", "armv7", "x86-vpopcntdq", "x86-avxvnni")),
    ],
)
def test_a_level_requires_more_and_the_last_one_most(name, levels):
    """So a CPU that runs a level runs all code of the target, too, and of the same system."""
    found = levels_above(get(name))
    assert [each.name for each in found] == levels
    assert all({*each.requires} > {*get(name).requires} for each in found)
    assert len({get(name).vector, *(each.vector for each in found)}) == 1 + len(found)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("armv6", "rpi0", "Pi Zero W", "raspberry-pi-1"), "Armv6 has no NEON"),
        (("cortex-a9",), "VFPv4"),
        (("stm32f4", "Cortex-M7"), "need Linux"),
        (("windows", "apple-m1", "android"), "for Linux"),
        (("cuda", "GPU"), "run on CPUs"),
        (("riscv64", "linux/386"), "expected ARM or 64-bit x86"),
    ],
)
def test_what_there_is_no_target_for_is_answered_with_the_reason(words, reason):
    for word in words:
        with pytest.raises(TargetError, match=f"unknown target '{word}'; [^;]*{reason}"):
            get(word)


@pytest.mark.parametrize("word", ["cortex-a710", "znver9", "k210"])
def test_another_cpu_is_not_taken_for_one_that_is_meant(word):
    with pytest.raises(TargetError, match=f"unknown target '{word}'; the targets, "):
        get(word)


@pytest.mark.parametrize("name", ["../targets/arm", "", "target.py", "arm/"])
def test_a_word_is_no_path(name):
    with pytest.raises(TargetError, match="unknown target"):
        get(name)


def test_an_unknown_vector_lists_the_choices():
    with pytest.raises(TargetError, match="target arm: vector is one of neon, .* not 'sve'"):
        replace(get("arm"), vector="sve")


def machine(monkeypatch, arch: str, flags: frozenset[str]) -> None:
    monkeypatch.setattr(platform, "machine", lambda: arch)
    monkeypatch.setattr(module, "host_flags", lambda: flags)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_target_runs_where_its_flags_are(name, monkeypatch):
    info = get(name)
    machine(monkeypatch, info.arch, frozenset(info.requires) | {"more"})
    assert info.runs_here and info.missing == ()
    machine(monkeypatch, info.arch, frozenset(info.requires[1:]))
    assert not info.runs_here and info.missing == info.requires[:1]
    machine(monkeypatch, "riscv64", frozenset(info.requires))
    assert not info.runs_here and info.missing == (f"a CPU of architecture {info.arch} (this one is riscv64)",)


@pytest.mark.parametrize("name", SHIPPED)
def test_native_is_the_target_that_asks_most(name, monkeypatch):
    info = get(name)
    machine(monkeypatch, info.arch, frozenset(info.requires))
    equals = [one for one in map(get, SHIPPED) if (one.arch, one.requires) == (info.arch, info.requires)]
    native = get(NATIVE)
    assert native == replace(equals[0], name=NATIVE, description=f"this machine ({equals[0].name})")


def test_a_32_bit_process_is_none_of_64_bits(monkeypatch):
    """The kernel of a 32-bit Raspberry Pi OS has 64 bits on a Raspberry Pi 4."""
    machine(monkeypatch, "aarch64", frozenset({"asimd", "neon", "vfpv4"}))
    assert get(NATIVE).arch == "aarch64" and not get("armv7").runs_here
    monkeypatch.setattr(module.sys, "maxsize", 2**31 - 1)
    assert get(NATIVE).description == "this machine (armv7)" and not get("arm").runs_here


def test_native_on_a_foreign_machine_lists_the_targets(monkeypatch):
    machine(monkeypatch, "riscv64", frozenset())
    with pytest.raises(
        TargetError, match=r"target native: this CPU \(riscv64\) runs none .*: arm, armv7, rpi3, .*; name one"
    ):
        get(NATIVE)


@pytest.mark.compiles
def test_what_is_said_to_run_here_does():
    """The code of every target that runs here is run; this process would die by an instruction that the CPU lacks."""
    running = [name for name in SHIPPED if get(name).runs_here]
    assert get(NATIVE).runs_here and running
    code = f"""
from b2nn_tvm.tvm_internals.import_alone import import_tvm_alone
import_tvm_alone()  # torch would take longest
import numpy as np, tvm
from tvm import te
from b2nn_tvm.targets.target import get
x = te.placeholder((64,), "uint32", name="x")
function = te.create_prim_func([x, te.compute((64,), lambda i: tvm.tirx.popcount(x[i]))])
sch = tvm.s_tir.Schedule(function)
sch.vectorize(sch.split(sch.get_loops(sch.get_sblock("compute"))[0], [None, 16])[1])
for name in {running}:
    library = tvm.tirx.build(sch.mod, target=get(name).tvm_target())
    given, out = np.arange(64, dtype="uint32") * 12345, tvm.runtime.tensor(np.zeros(64, "uint32"))
    tvm.runtime.Executable(library)["main"](tvm.runtime.tensor(given), out)
    assert (out.numpy() == np.bitwise_count(given)).all()
print("ran")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 fma\n\nprocessor\t: 1\nflags\t: fpu\n", {"fpu", "avx2", "fma"}),
        ("processor\t: 0\nFeatures\t: fp asimd crc32\n", {"fp", "asimd", "crc32", "neon", "vfpv4"}),
        ("processor\t: 0\nFeatures\t: half neon vfpv4\n", {"half", "neon", "vfpv4"}),
        ("model name\t: flags of nothing\n", set()),
    ],
)
def test_the_flags_are_those_of_the_first_processor(text, flags, monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda path, **_: text)
    host_flags.cache_clear()
    try:
        assert host_flags() == flags
    finally:
        host_flags.cache_clear()


def test_flags_that_cannot_be_read_are_none(monkeypatch):
    def refuse(path, **_):
        raise PermissionError(path)

    monkeypatch.setattr(Path, "read_text", refuse)
    host_flags.cache_clear()
    try:
        assert host_flags() == frozenset()
    finally:
        host_flags.cache_clear()
