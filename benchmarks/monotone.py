"""The test whether binarizing one more layer ever makes a network slower, by walks from all float to all binary."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

from engines import Name, ours
from network_models import SHAPES, eligible, network, save
from report import Report, Row
from rounds import Timing, Unavailable, Workers
from slower import compare, summary

import b2nn_tvm

ORDERS = ("front-to-back", "back-to-front", "random")
LEAST = 0.01


def walk(
    report: Report,
    workers: Workers,
    name: str,
    *,
    orders: Sequence[str],
    target: str,
    threads: int,
    rounds: int,
    seconds: float,
    folder: Path,
    layers: int | None = None,
    seed: int = 0,
) -> None:
    """Compile the network of every step of ``orders``, time all of them in one process, and add a note for each order.

    Where ``layers`` is given, only the first ``layers`` layers of each order become binary.
    """
    model, shape = network(name), SHAPES[name]
    paths = {order: arranged(eligible(model, shape=shape), order, seed=seed)[:layers] for order in orders}
    networks = list(dict.fromkeys(frozenset(path[:count]) for path in paths.values() for count in range(len(path) + 1)))
    engines = {}
    for index, binary in enumerate(networks):
        print(f"{name}: network {index + 1} of {len(networks)}, {len(binary)} layers binary", file=sys.stderr)
        onnx = save(model, folder / "network.onnx", sorted(binary), shape=shape)
        library = folder / str(index)
        b2nn_tvm.compile_model(onnx, target=target, output=library)
        ((made, engine),) = ours(
            library, precision="binary" if binary else "fp32", target=target, threads=threads
        ).items()
        engines[binary] = (made, engine)
    timings = workers.interleave(
        {key: engine for key, (_, engine) in engines.items()}, rounds=rounds, seconds=seconds, one_process=True
    )
    names = {key: made for key, (made, _) in engines.items()}
    for order, path in paths.items():
        _report(report, f"{name}, {order}", path, timings, names)


def arranged(layers: Sequence[str], order: str, *, seed: int) -> tuple[str, ...]:
    """The layers, which are given front to back, in one of ORDERS."""
    if order == "random":
        return tuple(random.Random(seed).sample(list(layers), len(layers)))
    return tuple(layers if order == "front-to-back" else reversed(layers))


def _report(
    report: Report,
    title: str,
    path: Sequence[str],
    timings: dict[frozenset, Timing | Unavailable],
    names: dict[frozenset, Name],
) -> None:
    lines = [
        ["step", "made binary", "min / median ms", "of the step before (median of rounds)", "rounds slower", "verdict"]
    ]
    slower, previous = [], None
    for count in range(len(path) + 1):
        key = frozenset(path[:count])
        timing, name = timings[key], names[key]
        if isinstance(timing, Unavailable):
            raise SystemExit(
                f"error: {title}: our library with {count} layers binary cannot be measured: {timing.reason}"
            )
        report.versions.update(timing.versions)
        layer = path[count - 1] if count else "nothing"
        case = f"{title}, step {count:02}: {layer}"
        report.rows.append(
            Row(
                name.engine,
                name.precision,
                name.isa,
                case,
                name.threads,
                round(timing.min_ms, 6),
                round(timing.median_ms, 6),
            )
        )
        cells = [str(count), layer, f"{timing.min_ms:.3f} / {timing.median_ms:.3f}"]
        if previous is None:
            lines.append([*cells, "", "", ""])
        else:
            step = compare(previous, timing, least=LEAST)
            lines.append(
                [*cells, f"{step.ratio:.3f}", f"{step.worse} of {step.rounds}", "slower" if step.slower else ""]
            )
            slower += [f"{layer} ({step.ratio - 1:+.1%})"] if step.slower else []
        previous = timing
    verdict = summary("Steps that made the network slower", slower, least=LEAST, rounds=len(previous.turns_ms))
    report.note(f"Monotone, {title}", lines, verdict)
