"""The options --memory-limit and --time-limit: how they are spelled, and what they are where they are not given."""

from __future__ import annotations

import re
from pathlib import Path

import click

MEMORY, TIME = "b2nn.memory_limit", "b2nn.time_limit"  # in the meta data of a command's context
DEFAULT_SHARE = 0.9  # of the memory that is free when a command begins
DEFAULT_TIME_S = 3600.0
_BYTES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SECONDS = {"": 1, "S": 1, "M": 60, "H": 3600}


def limit_options(command: click.decorators.FC) -> click.decorators.FC:
    """Add both options to a command that runs under its limits (b2nn_tvm/cli/supervise.py)."""
    for option in (_TIME_OPTION, _MEMORY_OPTION):
        command = option(command)
    return command


def memory_bytes(context: click.Context, parameter: click.Parameter, text: str | None) -> None:
    """The callback of --memory-limit: bytes such as 4G, 512M, or ``none``, go into the context."""
    context.meta[MEMORY] = _free_bytes() if text is None else _amount(text, _BYTES, r"(?:i?B)?", "4G, 512M")


def seconds(context: click.Context, parameter: click.Parameter, text: str | None) -> None:
    """The callback of --time-limit: seconds such as 90s, 10m, 2h, or ``none``, go into the context."""
    context.meta[TIME] = None if text is None else _amount(text, _SECONDS, "", "90s, 10m, 2h")
    context.meta[f"{TIME}.given"] = text is not None


def time_limit(context: click.Context) -> float | None:
    """The limit in seconds: as given, else an hour, or none where the command tunes, which may take days."""
    if context.meta.get(f"{TIME}.given") or context.params.get("tune"):
        limit: float | None = context.meta.get(TIME)
        return limit
    return DEFAULT_TIME_S


_MEMORY_OPTION = click.option(
    "--memory-limit",
    metavar="SIZE",
    callback=memory_bytes,
    expose_value=False,
    help="End with an error above this much memory, such as 4G, or none.  [default: 90% of what is free]",
)
_TIME_OPTION = click.option(
    "--time-limit",
    metavar="TIME",
    callback=seconds,
    expose_value=False,
    help="End with an error after this time, such as 90s, 10m, or none.  [default: 1h; none with --tune]",
)


def _amount(text: str, units: dict[str, int], suffix: str, examples: str) -> float | None:
    if text.strip().lower() == "none":
        return None
    match = re.fullmatch(rf"\s*([0-9]+(?:\.[0-9]+)?)\s*([{''.join(units)}]?){suffix}\s*", text, re.IGNORECASE)
    if match is None or float(match.group(1)) == 0:
        raise click.BadParameter(f"expected {examples}, or none for no limit, but got {text!r}")
    return float(match.group(1)) * units[match.group(2).upper()]


def _free_bytes() -> float | None:
    """Most of the memory that this machine, or the control group of this process, has left; None where neither says."""
    found = []
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
        group = Path("/sys/fs/cgroup")
        found.append(
            int((group / "memory.max").read_text(encoding="ascii"))
            - int((group / "memory.current").read_text(encoding="ascii"))
        )
    except (OSError, ValueError):  # another system, no control group, or one without a limit ("max")
        pass
    return DEFAULT_SHARE * min(found) if found else None
