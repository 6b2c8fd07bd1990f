"""The options --memory-limit and --time-limit: how they are spelled, and what they are where they are not given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import inf
from typing import Any

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


class Amount(click.ParamType):  # type: ignore[type-arg]
    """A number with one of the ``units``, such as 4G, or ``none``, which becomes infinity."""

    def __init__(self, name: str, units: Mapping[str, int], suffix: str, examples: str) -> None:
        self.name = name
        self._units, self._examples = units, examples
        self._pattern = re.compile(rf"\s*([0-9]+(?:\.[0-9]+)?)\s*([{''.join(units)}]?){suffix}\s*", re.IGNORECASE)

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        if value.strip().lower() == "none":
            return inf
        match = self._pattern.fullmatch(value)
        if match is None or float(match.group(1)) == 0:
            self.fail(f"expected {self._examples}, or none for no limit, but got {value!r}", parameter, context)
        return float(match.group(1)) * self._units[match.group(2).upper()]


def _keep(context: click.Context, parameter: click.Parameter, value: float | None) -> None:
    """The callback of both options: the value goes into the context, and not to the function of the command."""
    context.meta[{"memory_limit": MEMORY, "time_limit": TIME}[str(parameter.name)]] = value


def memory_limit(context: click.Context) -> float:
    """The limit in bytes: as given, else most of what is free; infinity for none."""
    given: float | None = context.meta.get(MEMORY)
    if given is not None:
        return given
    from b2nn_tvm.storage.free_memory import free_bytes

    return DEFAULT_SHARE * free_bytes()


def time_limit(context: click.Context) -> float:
    """The limit in seconds: as given, else an hour, or none where the command tunes, which may take days; infinity for
    none.
    """
    given: float | None = context.meta.get(TIME)
    if given is None:
        return inf if context.params.get("tune") else DEFAULT_TIME_S
    return given


_MEMORY_OPTION = click.option(
    "--memory-limit",
    metavar="SIZE",
    type=Amount("size", _BYTES, "(?:i?B)?", "4G, 512M"),
    callback=_keep,
    expose_value=False,
    help="End with an error above this much memory, such as 4G, or none.  [default: 90% of what is free]",
)
_TIME_OPTION = click.option(
    "--time-limit",
    metavar="TIME",
    type=Amount("time", _SECONDS, "", "90s, 10m, 2h"),
    callback=_keep,
    expose_value=False,
    help="End with an error after this time, such as 90s, 10m, or none.  [default: 1h; none with --tune]",
)
