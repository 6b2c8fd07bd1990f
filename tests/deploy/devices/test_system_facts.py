"""What boards say about themselves, in the words of their /proc and /sys."""

from __future__ import annotations

import subprocess

import pytest

from b2nn_tvm.deploy.devices.system_facts import (
    SCRIPT,
    SystemFacts,
    conditions,
    cpu_name,
    describe,
    parse_facts,
    read_facts,
)

PI4 = {
    "machine": "aarch64",
    "system": "Linux 6.12.25+rpt-rpi-v8",
    "bits": "64",
    "libc": "glibc 2.36",
    "cpus": "4",
    "board": "Raspberry Pi 4 Model B Rev 1.4\0",
    "cpuinfo": (
        "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\nCPU part\t:"
        " 0xd08\n\nModel\t\t: Raspberry Pi 4\n"
    ),
    "memory": "MemTotal:        3885396 kB\nMemFree:          123 kB\n",
    "governor": "ondemand\n",
    "max_khz": "1800000\n",
    "khz": "600000\n",
    "thermal": "cpu-thermal=48200\ngpu-thermal=99000\n",
    "throttled": "50005\n",
}
# A 32-bit kernel names the architecture where x86 names the CPU.
PI3_OLD = {
    **PI4,
    "machine": "armv7l",
    "bits": "32",
    "cpuinfo": "model name\t: ARMv7 Processor rev 4 (v7l)\nFeatures\t: half neon vfpv4\nCPU part\t: 0xd03\n",
}


def test_a_32_bit_system_under_a_64_bit_kernel():
    """It is told by getconf, or by the first bytes of its shell where there is no getconf, as with BusyBox."""
    assert SystemFacts({**PI4, "bits": "32"}).arch == "armv7l"
    assert SystemFacts({**PI4, "bits": "", "shell": "\x7fELF\x01"}).arch == "armv7l"
    assert SystemFacts({**PI4, "bits": "", "shell": "\x7fELF\x02"}).arch == "aarch64"
    assert SystemFacts({**PI4, "bits": "64", "shell": "\x7fELF\x01"}).arch == "aarch64"


def test_a_raspberry_pi():
    found = describe("ssh://pi@pi4", SystemFacts(PI4))
    assert (found.board, found.cpu, found.arch, found.cpus) == (
        "Raspberry Pi 4 Model B Rev 1.4",
        "Cortex-A72",
        "aarch64",
        4,
    )
    assert (found.governor, found.max_mhz, found.memory_mib, found.system) == (
        "ondemand",
        1800,
        3794,
        "Linux 6.12.25+rpt-rpi-v8",
    )
    assert found.label == found.board and not found.emulated
    now = conditions(SystemFacts(PI4))
    assert (now.mhz, now.temperature_c) == (600, 48.2)
    assert now.throttled == "under-voltage now, throttled now" and now.slowed


@pytest.mark.parametrize(
    ("facts", "arch"),
    [
        (PI4, "aarch64"),
        ({**PI4, "bits": "32"}, "armv7l"),  # the default of Raspberry Pi OS 32-bit: a 64-bit kernel
        ({**PI4, "machine": "armv8l", "bits": "32"}, "armv7l"),
        (PI3_OLD, "armv7l"),
    ],
)
def test_the_architecture_is_that_of_the_programs(facts, arch):
    assert SystemFacts(facts).arch == arch
    assert {"neon", "vfpv4"} <= SystemFacts(facts).features


def test_an_old_kernel_names_no_cpu():
    assert describe("", SystemFacts(PI3_OLD)).cpu == "Cortex-A53"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"throttled": "0"}, "no"),
        ({"throttled": "", "vcgencmd": "throttled=0x0"}, "no"),
        (
            {"throttled": "", "vcgencmd": "throttled=0x50000"},
            "under-voltage since the start, throttled since the start",
        ),
        ({"throttled": "80008"}, "soft temperature limit now"),
        ({"throttled": ""}, ""),
        ({"throttled": "", "vcgencmd": "command not found"}, ""),
    ],
)
def test_throttling(texts, expected):
    now = conditions(SystemFacts({**PI4, **texts}))
    assert now.throttled == expected and now.slowed == ("now" in expected)


@pytest.mark.parametrize(
    ("texts", "emulated"),
    [
        ({}, False),
        ({"modalias": "cpu:type:aarch64:feature:,0000"}, False),
        ({"modalias": "cpu:type:x86,ven0002fam001Amod0002"}, True),
        ({"cpuinfo": "vendor_id\t: GenuineIntel\nmodel name\t: Intel Xeon\n"}, True),
        ({"machine": "armv7l", "modalias": "cpu:type:x86,ven0000"}, True),
        ({"machine": "x86_64", "modalias": "cpu:type:x86,ven0000"}, False),
    ],
)
def test_emulation_shows(texts, emulated):
    assert SystemFacts({**PI4, **texts}).emulated is emulated


def test_a_system_that_tells_nothing():
    found, now = describe("bare", SystemFacts({})), conditions(SystemFacts({}))
    assert (found.cpu, found.max_mhz, found.memory_mib, now.mhz, now.temperature_c, now.throttled) == (
        "",
        0,
        0,
        0,
        None,
        "",
    )


def test_the_script_says_what_python_reads():
    """On this machine, behind what a login may print."""
    done = subprocess.run(["sh", "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    there, here = parse_facts(f"Welcome!\n{done.stdout}"), read_facts()
    assert describe("x", there) == describe("x", here)
    assert there.features == here.features and there.glibc == here.glibc != ()
    assert conditions(there).temperature_c == pytest.approx(conditions(here).temperature_c, abs=5)


def test_cpu_names():
    assert cpu_name("processor\t: 0\nmodel name\t: AMD EPYC\n") == "AMD EPYC"
    big_little = "CPU part\t: 0xd08\n\nCPU part\t: 0xd03\nCPU part\t: 0xd03\n"
    assert cpu_name(big_little) == "Cortex-A53 + Cortex-A72"
    assert cpu_name("CPU part\t: 0xfff\n") == "part 0xfff"
