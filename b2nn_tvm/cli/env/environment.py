"""The machine, the packages and the settings on which times and faults depend, read without importing torch or TVM."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from b2nn_tvm.deploy.devices.readiness import readiness
from b2nn_tvm.deploy.devices.system_facts import DeviceDescription, describe, read_facts
from b2nn_tvm.errors import TargetError
from b2nn_tvm.storage.content_cache import user_cache_folder
from b2nn_tvm.targets.target import NATIVE, get, names
from b2nn_tvm.version import __version__
from b2nn_tvm.words.number_of import number_of

# Of docs/troubleshooting.md, and those that say how many threads torch and the measurements start.
VARIABLES = (
    "B2NN_ARM_EMULATOR",
    "B2NN_CACHE_MIB",
    "B2NN_CC",
    "B2NN_LEVEL",
    "B2NN_LLVM_TOOLS",
    "B2NN_SSH",
    "CC",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "XDG_CACHE_HOME",
)
CROSS = "arm"  # the target for boards whose compiler is asked for
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_REQUIREMENT = re.compile(r"^([\w.-]+)(?:\[[^\]]*\])?\s*([^;]*?)\s*(?:;.*extra\s*==\s*['\"]([\w-]+)['\"].*)?$")


@dataclass(frozen=True)
class Package:
    """A package that this program asks for: the versions that it takes, the one that is installed, "" for none.

    ``extra`` is the name under which it is installed; "" where the program cannot do without it.
    """

    name: str
    wanted: str
    version: str
    extra: str


@dataclass(frozen=True)
class Environment:
    """What times and faults depend on.

    ``quota`` is the number of CPUs whose time this process may use, 0 where that is not limited; ``load`` is the number
    of processes that want a CPU, over the last minute. ``target`` is what ``native`` means here and ``vector`` its
    instruction set, both empty where this CPU runs none; ``runs`` are all targets whose libraries run here.
    ``compilers`` are by target; an empty one means that there is none.
    """

    version: str
    place: str
    python: str
    executable: str
    libc: str
    device: DeviceDescription
    quota: float
    load: float
    target: str
    vector: str
    runs: tuple[str, ...]
    compilers: Mapping[str, str]
    cache: str
    cache_mib: float
    settings: Mapping[str, str]
    packages: tuple[Package, ...]


def read_environment() -> Environment:
    """The environment of this process."""
    facts = read_facts()
    runs = tuple(name for name in names() if name != NATIVE and get(name).runs_here)
    try:
        best = get(NATIVE)
        target, vector = best.description.partition("(")[2].rstrip(")"), best.vector
    except TargetError:
        target = vector = ""
    cache = user_cache_folder()
    return Environment(
        version=__version__,
        place=str(Path(__file__).parents[2]),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        executable=sys.executable,
        libc=facts["libc"],
        device=describe("local", facts),
        quota=cpu_quota(),
        load=round(os.getloadavg()[0], 2),
        target=target,
        vector=vector,
        runs=runs,
        compilers={name: readiness(get(name)).compiler for name in ((NATIVE, CROSS) if target else (CROSS,))},
        cache=str(cache),
        cache_mib=round(_bytes_in(cache) / 2**20, 1),
        settings={name: os.environ[name] for name in VARIABLES if name in os.environ},
        packages=read_packages(),
    )


def read_packages() -> tuple[Package, ...]:
    """The packages that the installed program asks for, in its own order, each under the first extra that brings it.

    Empty where the program is not installed but runs from its folder.
    """
    try:
        wanted = metadata.requires("b2nn-tvm") or []
    except metadata.PackageNotFoundError:
        return ()
    found: dict[str, Package] = {}
    for text in wanted:
        if (match := _REQUIREMENT.match(text)) and match[1] != "b2nn-tvm":  # an extra may consist of others
            found.setdefault(match[1], Package(match[1], match[2], _version(match[1]), match[3] or ""))
    return tuple(found.values())


def cpu_quota() -> float:
    """The limit of a control group on this process's CPU time, in CPUs; 0 for none."""
    try:
        limit, period = CPU_QUOTA.read_text(encoding="utf-8").split()
        return round(int(limit) / int(period), 2)
    except (OSError, ValueError):  # no control groups of version 2, or "max"
        return 0.0


def as_lines(environment: Environment) -> list[str]:
    """The environment in lines for a reader."""
    device = environment.device
    cpus = number_of(device.cpus, "CPU") + (f", time of {environment.quota:g}" if environment.quota else "")
    clock = "".join(
        f", {word}" for word in (f"{device.max_mhz} MHz" if device.max_mhz else "", device.governor) if word
    )
    target = f"{environment.target} ({environment.vector})" if environment.target else "none: this CPU runs no target"
    rows = [
        ("b2nn-tvm", f"{environment.version} in {environment.place}"),
        ("Python", f"{environment.python}, {environment.executable}"),
        ("system", ", ".join(filter(None, (device.system, environment.libc, device.arch)))),
        ("CPU", f"{device.label}, {cpus}{clock}, {device.memory_mib} MiB, load {environment.load:g}"),
        ("native is", target),
        ("runs", ", ".join(environment.runs) or "none of the targets"),
        *((f"compiler, {name}", found or "none") for name, found in environment.compilers.items()),
        ("cache", f"{environment.cache}, {environment.cache_mib:g} MiB"),
        ("settings", " ".join(f"{name}={value}" for name, value in environment.settings.items()) or "none"),
        *_package_rows(environment.packages),
    ]
    return [f"{name:<{max(len(row[0]) for row in rows)}}  {text}" for name, text in rows]


def _package_rows(packages: tuple[Package, ...]) -> list[tuple[str, str]]:
    """A row for what is always needed, and one for each extra: the versions, and what is not installed."""
    if not packages:
        return [("packages", "not installed by pip: the program runs from its folder")]
    rows = []
    for extra in dict.fromkeys(package.extra for package in packages):
        group = [package for package in packages if package.extra == extra]
        said = [f"{each.name} {each.version}" for each in group if each.version]
        absent = [each.name for each in group if not each.version]
        said += [f"without {' '.join(absent)}"] if absent else []
        rows.append((f"extra {extra}" if extra else "packages", ", ".join(said)))
    return rows


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _bytes_in(folder: Path) -> int:
    """The bytes of all files in a folder; what this user may not look into has none, nor what goes away meanwhile."""
    return sum(_size(Path(place) / name) for place, _, names in os.walk(folder) for name in names)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0
