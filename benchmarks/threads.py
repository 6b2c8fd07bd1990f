"""The speedups of engines from one thread to more, and the small layers that more threads make slower.

    python benchmarks/threads.py [--target native] [--threads 2] [--cases networks layers] [--engines ...] [--json FILE]

Networks run with one thread and with more, in our engine and in the peers', which all take turns. The small layers also
run with both numbers of threads in our engine, but only with more threads in the peers'.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from engines import Name
from layer_engines import conv, time_layer
from network_engines import time_network
from network_models import SHAPES, eligible, macs, network
from options import options, parser
from report import Report
from rounds import Timing, Unavailable, Workers
from slower import compare, summary

from b2nn_tvm.targets import target as targets

LEAST = 0.03
NETWORKS = {
    "ResNet-18": ("resnet18", False),
    "Bi-Real-18, all binary": ("bireal18", True),
    "C-ResNet-20": ("cresnet20", False),
    "C-ResNet-20, all binary": ("cresnet20", True),
}
# From C-ResNet-20's smallest to ResNet-18's: a thread more pays for some and must not cost anything for the others.
LAYERS = {
    "3x3 16ch 8x8": conv(8, 16),
    "3x3 64ch 8x8": conv(8, 64),
    "3x3 16ch 32x32": conv(32, 16),
    "1x1 64ch 7x7": conv(7, 64, 1),
    "3x3 512ch 7x7": conv(7, 512),
    "dw 3x3 64ch 14x14": conv(14, 64, groups=64),
    "dense 64-100": conv(1, 64, 1, out=100),
    "dense 512-1000": conv(1, 512, 1, out=1000),
}
TINY = {"networks": {"one block": ("tiny", True)}, "layers": {"3x3 32ch 4x4": conv(4, 32)}}
CASES = ("networks", "layers", "tiny")


def main() -> None:
    made = parser(__doc__.splitlines()[0], cases=CASES, default=CASES[:2], threads=2, rounds=11, seconds=0.04)
    chosen = options(made.parse_args(), CASES[:2])
    if chosen.threads < 2:
        made.error("--threads is 2 or more")
    report = Report(f"One thread and {chosen.threads}, b2nn compiled for {targets.get(chosen.target).vector}")
    speedups = [["case", "engine", "1 thread, ms", f"{chosen.threads} threads, ms", "speed-up", "verdict"]]
    both = (1, chosen.threads)
    common = {"target": chosen.target, "wanted": chosen.engines, "rounds": chosen.rounds}
    with Workers() as workers:
        networks = (NETWORKS if "networks" in chosen.cases else {}) | (
            TINY["networks"] if "tiny" in chosen.cases else {}
        )
        for case, (name, all_binary) in networks.items():
            print(case, file=sys.stderr)
            model, shape = network(name), SHAPES[name]
            binary = eligible(model, shape=shape) if all_binary else ()
            with tempfile.TemporaryDirectory() as folder:
                # A turn holds some runs of the slowest.
                outcome = time_network(
                    name,
                    binary,
                    workers,
                    key=name,
                    threads=both,
                    seconds=2 * chosen.seconds,
                    folder=Path(folder),
                    **common,
                )
            report.add("Networks", case, macs(model, shape=shape), outcome)
            speedups += _speedups(case, outcome, chosen.threads)
        layers = (LAYERS if "layers" in chosen.cases else {}) | (TINY["layers"] if "tiny" in chosen.cases else {})
        for case, workload in layers.items():
            print(case, file=sys.stderr)
            with tempfile.TemporaryDirectory() as folder:
                outcome = time_layer(
                    workload,
                    workers,
                    our_threads=both,
                    their_threads=both[1:],
                    seconds=chosen.seconds,
                    folder=Path(folder),
                    **common,
                )
            report.add("Small layers", case, workload.macs, outcome)
            speedups += _speedups(case, outcome, chosen.threads)
    slow = [f"{case} ({engine})" for case, engine, *_, verdict in speedups[1:] if verdict and engine.startswith("b2nn")]
    text = summary(f"Ours that are slower with {chosen.threads} threads", slow, least=LEAST, rounds=chosen.rounds)
    report.note("Speed-up (minima)", speedups, text)
    report.finish(json_path=chosen.json, markdown_path=chosen.markdown)


def _speedups(case: str, outcome: Mapping[Name, Timing | Unavailable], threads: int) -> list[list[str]]:
    """The rows of the table of speedups, one for each engine that ran with both numbers of threads."""
    lines = []
    for name, one in outcome.items():
        more = outcome.get(Name(name.engine, name.precision, name.isa, threads))
        if name.threads != 1 or not isinstance(one, Timing) or not isinstance(more, Timing):
            continue
        slower = "slower" if compare(one, more, least=LEAST).slower else ""
        speedup = f"{one.min_ms / more.min_ms:.2f}x"
        lines.append(
            [case, f"{name.engine} {name.precision}", f"{one.min_ms:.3f}", f"{more.min_ms:.3f}", speedup, slower]
        )
    return lines


if __name__ == "__main__":
    main()
