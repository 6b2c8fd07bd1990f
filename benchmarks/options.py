"""The options that the benchmarks share."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from engines import ENGINES

from b2nn_tvm.errors import TargetError
from b2nn_tvm.targets import target as targets


@dataclass(frozen=True)
class Options:
    """``rounds`` turns of about ``seconds`` for each engine; see the benchmarks' --help for the others."""

    target: str
    threads: int
    cases: tuple[str, ...]
    engines: tuple[str, ...]
    rounds: int
    seconds: float
    json: Path | None
    markdown: Path | None


def parser(
    description: str, *, cases: tuple[str, ...], default: tuple[str, ...], threads: int, rounds: int, seconds: float
):
    """An argument parser with the shared options."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--target", default="native", help="what our libraries are compiled for (x86 is the AVX2 level)")
    made.add_argument("--threads", type=int, default=threads)
    made.add_argument(
        "--cases",
        nargs="+",
        choices=("all", *cases),
        default=default,
        metavar="CASES",
        help=f"all, or some of {', '.join(cases)}",
    )
    made.add_argument(
        "--engines", nargs="+", choices=ENGINES, default=ENGINES, metavar="ENGINE", help=f"some of {', '.join(ENGINES)}"
    )
    made.add_argument("--rounds", type=int, default=rounds, help="turns of each engine")
    made.add_argument("--seconds", type=float, default=seconds, help="length of a turn")
    made.add_argument("--json", type=Path, help="write the rows to this file")
    made.add_argument("--markdown", type=Path, help="write the tables to this file")
    return made


def options(arguments: argparse.Namespace, cases: tuple[str, ...]) -> Options:
    """The shared options as parsed; the case "all" stands for all ``cases``."""
    try:
        target = targets.get(arguments.target)
    except TargetError as error:
        raise SystemExit(f"error: {error}") from None
    if target.missing:
        raise SystemExit(f"error: the benchmarks run here, and target {target.name} needs {', '.join(target.missing)}")
    chosen = cases if "all" in arguments.cases else tuple(arguments.cases)
    return Options(
        arguments.target,
        arguments.threads,
        chosen,
        tuple(arguments.engines),
        arguments.rounds,
        arguments.seconds,
        arguments.json,
        arguments.markdown,
    )
