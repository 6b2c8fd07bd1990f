"""The facts that a machine tells about itself, read by Python here or by a shell script on a board."""

from __future__ import annotations

import os
import platform
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FILES = {
    "board": "/proc/device-tree/model",
    "cpuinfo": "/proc/cpuinfo",
    "memory": "/proc/meminfo",
    "modalias": "/sys/devices/system/cpu/modalias",
    "governor": "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "max_khz": "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq",
    "khz": "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq",
    "throttled": "/sys/devices/platform/soc/soc:firmware/get_throttled",
}
THERMAL = "/sys/class/thermal"
# The separators before and after each name in the output of the script; no file of /proc or /sys contains them.
_RECORD, _UNIT = "\x1e", "\x1f"
SCRIPT = "\n".join(
    [
        r"""fact() { printf '\036%s\037' "$1"; shift; "$@" 2>/dev/null; }""",
        "fact machine uname -m; fact system uname -sr; fact bits getconf LONG_BIT; fact libc getconf GNU_LIBC_VERSION",
        "fact shell head -c 5 /bin/sh",  # whose fifth byte is ELF's EI_CLASS, for systems without getconf
        "fact cpus env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc",  # nproc would obey both
        *(f"fact {name} cat {path}" for name, path in FILES.items()),
        "fact vcgencmd vcgencmd get_throttled",
        rf"""fact thermal; for zone in {THERMAL}/thermal_zone*; do""",
        """[ -r "$zone/temp" ] && echo "$(cat "$zone/type")=$(cat "$zone/temp")"; done 2>/dev/null; :""",
    ]
)

# ARM's /proc/cpuinfo gives only part numbers of CPUs (Arm's "MIDR_EL1" tables, implementer 0x41).
_ARM_PARTS = {
    "0xc07": "Cortex-A7",
    "0xc08": "Cortex-A8",
    "0xc09": "Cortex-A9",
    "0xc0f": "Cortex-A15",
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd40": "Neoverse-V1",
    "0xd49": "Neoverse-N2",
    "0xd4f": "Neoverse-V2",
}
# The bits of the Raspberry Pi's firmware, "vcgencmd get_throttled": these four say what happens now, and the same four
# 16 bits higher say what has happened since the start.
_THROTTLED = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")


@dataclass(frozen=True)
class DeviceDescription:
    """A device's name, hardware and system: frequencies in MHz, memory in MiB; "" and 0 where the device does not tell.

    An ``emulated`` device runs another architecture's code in software: its times are not those of that architecture.
    ``revision`` is the microcode's or the board's.
    """

    name: str
    board: str
    cpu: str
    arch: str
    cpus: int
    governor: str
    max_mhz: int
    memory_mib: int
    system: str
    emulated: bool = False
    revision: str = ""

    def crowd(self, threads: int) -> str:
        """Words on ``threads`` threads that share CPUs; "" where each has its own, or the CPUs are not known."""
        if not 0 < self.cpus < threads:
            return ""
        share = "one CPU" if self.cpus == 1 else f"{self.cpus} CPUs"
        return f"{threads} threads share {share} and wait for one another: give --threads {self.cpus} or fewer"

    @property
    def label(self) -> str:
        """The name of the device in cost tables: the board's name, else the CPU's."""
        return self.board or self.cpu

    @property
    def fingerprint(self) -> str:
        """What must be equal for times of two devices to be the same, as one line.

        Names of machines and versions of kernels are no part of it: boards of one kind share their times.
        """
        named = {
            "revision": self.revision,
            "arch": self.arch,
            "CPUs": str(self.cpus),
            "MHz": str(self.max_mhz or ""),
            "governor": self.governor,
        }
        parts = [self.board, self.cpu, *(f"{name} {value}" for name, value in named.items() if value)]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Conditions:
    """The conditions that speed up or slow down a device at a moment; 0, None and "" where it does not tell them.

    ``throttled`` is "no", or the words for the bits that the firmware reports, now and since the start.
    """

    mhz: int = 0
    temperature_c: float | None = None
    throttled: str = ""

    @property
    def slowed(self) -> bool:
        """Whether the device runs slower than it could at this moment."""
        return " now" in self.throttled


@dataclass(frozen=True)
class SystemFacts:
    """The facts as texts by name: the files of ``FILES``, and machine, system, bits, shell, libc, cpus, thermal,
    vcgencmd.
    """

    texts: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.texts.get(name, "").strip("\0\n ")

    @property
    def arch(self) -> str:
        """The architecture of the machine's programs, which may have 32 bits under a 64-bit kernel."""
        machine = self["machine"]
        if self["bits"] == "32" or (not self["bits"] and self["shell"] == "\x7fELF\x01"):
            return {"aarch64": "armv7l", "armv8l": "armv7l", "x86_64": "i686"}.get(machine, machine)
        return machine

    @property
    def features(self) -> frozenset[str]:
        """The CPU's features as Linux prints them; a CPU with asimd runs all of ARMv7's floating point, too."""
        found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", self["cpuinfo"], re.MULTILINE)
        words = frozenset(found[1].split()) if found else frozenset()
        return words | {"neon", "vfpv3", "vfpv4"} if "asimd" in words else words

    @property
    def glibc(self) -> tuple[int, ...]:
        """The version of the GNU C library; empty where the system has another C library."""
        found = re.fullmatch(r"glibc ([\d.]+)", self["libc"])
        return tuple(map(int, found[1].split("."))) if found else ()

    @property
    def emulated(self) -> bool:
        """Whether ARM code runs on an x86 machine: QEMU's user mode shows the /sys and, in part, the /proc of x86."""
        foreign = "cpu:type:x86" in self["modalias"] or "vendor_id" in self["cpuinfo"]
        return foreign and self["machine"].startswith(("aarch64", "arm"))


def describe(name: str, facts: SystemFacts) -> DeviceDescription:
    """The description of the device called ``name``."""
    revision = re.search(r"^(?:microcode|Revision)\s*:\s*(\S+)$", facts["cpuinfo"], re.MULTILINE)
    memory = re.search(r"MemTotal:\s*(\d+) kB", facts["memory"])
    return DeviceDescription(
        name=name,
        board=facts["board"],
        cpu=cpu_name(facts["cpuinfo"]) or facts["machine"],
        arch=facts.arch,
        cpus=_number(facts["cpus"]),
        governor=facts["governor"],
        max_mhz=_number(facts["max_khz"]) // 1000,
        memory_mib=int(memory[1]) // 1024 if memory else 0,
        system=facts["system"],
        emulated=facts.emulated,
        revision=revision[1] if revision else "",
    )


def conditions(facts: SystemFacts) -> Conditions:
    """The clock, the temperature and the throttling at the moment when ``facts`` were read."""
    zones = dict(re.findall(r"^(.+)=(-?\d+)$", facts["thermal"], re.MULTILINE))
    cpu_zones = [zone for zone in zones if re.search("cpu|soc|x86_pkg", zone, re.IGNORECASE)]
    degrees = [int(zones[zone]) / 1000 for zone in cpu_zones or list(zones)[:1]]
    return Conditions(
        mhz=_number(facts["khz"]) // 1000,
        temperature_c=max(degrees) if degrees else None,
        throttled=_throttled(facts["throttled"] or facts["vcgencmd"].removeprefix("throttled=")),
    )


def read_facts() -> SystemFacts:
    """The facts of this machine."""
    machine = os.uname()
    texts = {name: _read(path) for name, path in FILES.items()}
    zones = sorted(Path(THERMAL).glob("thermal_zone*"))
    texts["thermal"] = "".join(f"{_read(zone / 'type').strip()}={_read(zone / 'temp')}" for zone in zones)
    texts |= {"machine": machine.machine, "system": f"{machine.sysname} {machine.release}"}
    texts |= {"bits": str(8 * struct.calcsize("P")), "libc": " ".join(platform.libc_ver())}
    return SystemFacts({**texts, "cpus": str(len(os.sched_getaffinity(0)))})


def parse_facts(output: str) -> SystemFacts:
    """The facts in the output of ``SCRIPT``; text that a login script printed before is ignored."""
    return SystemFacts(dict(record.split(_UNIT, 1) for record in output.split(_RECORD)[1:] if _UNIT in record))


def cpu_name(cpuinfo: str) -> str:
    """The CPU's name from the text of /proc/cpuinfo, which has part numbers on ARM and the name itself on x86."""
    if parts := sorted(set(re.findall(r"^CPU part\s*:\s*(\S+)$", cpuinfo, re.MULTILINE))):
        return " + ".join(_ARM_PARTS.get(part.lower(), f"part {part}") for part in parts)
    names = re.findall(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return names[0].strip() if names else ""


def _throttled(text: str) -> str:
    """The words for the firmware's bits, which vcgencmd prints like 0x50005 and sysfs like 50005; "" for no number."""
    if not re.fullmatch(r"(0x)?[0-9a-fA-F]+", text):
        return ""
    bits = int(text, 16)
    now = [f"{what} now" for index, what in enumerate(_THROTTLED) if bits >> index & 1]
    before = [
        f"{what} since the start"
        for index, what in enumerate(_THROTTLED)
        if bits >> (16 + index) & ~(bits >> index) & 1
    ]
    return ", ".join(now + before) or "no"


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
