"""Whole networks with random weights: ours beside the other engines, float, int8 and binary, in one run.

    python benchmarks/network.py [--target native] [--threads 1] [--cases ...] [--engines ...]
        [--json FILE] [--markdown FILE]
    python benchmarks/network.py --cases monotone [--network bireal18] [--orders front-to-back back-to-front random]

The networks are ResNet-18, and Bi-Real-18 with no layer binary, with as many as leave 50 % or 15 % of its FLOPs, and
with all eligible layers; the others stay float, or become int8. The peers' fp32 and int8 rows compute the float network
of the same case, the binary rows compute the mixed network. The case "monotone" walks from all float to all binary, one
layer after the other, and says which steps made the network slower; it compiles some 50 networks.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from monotone import ORDERS, walk
from network_engines import time_network
from network_models import SHAPE, SHAPES, eligible, int8_rest, macs, network, share_of_flops
from options import options, parser
from report import Report
from rounds import Workers

from b2nn_tvm.targets import target as targets


@dataclass(frozen=True)
class Case:
    """A network of SHAPES, and the choice of its binary layers; ``int8`` for all others that may be int8."""

    title: str
    network: str
    binary: Callable[..., tuple[str, ...]] = lambda model, *, shape: ()
    int8: bool = False


CASES = {
    "resnet18": Case("ResNet-18, nothing binary", "resnet18"),
    "bireal18": Case("Bi-Real-18, nothing binary", "bireal18"),
    "bireal18-50": Case(
        "Bi-Real-18, 50 % of FLOPs", "bireal18", lambda model, *, shape: share_of_flops(model, 0.5, shape=shape)
    ),
    "bireal18-15": Case(
        "Bi-Real-18, 15 % of FLOPs", "bireal18", lambda model, *, shape: share_of_flops(model, 0.15, shape=shape)
    ),
    "bireal18-50-int8": Case(
        "Bi-Real-18, 50 % of FLOPs, the rest int8",
        "bireal18",
        lambda model, *, shape: share_of_flops(model, 0.5, shape=shape),
        int8=True,
    ),
    "bireal18-binary": Case("Bi-Real-18, all binary", "bireal18", eligible),
    "bireal18-binary-int8": Case("Bi-Real-18, all binary, the rest int8", "bireal18", eligible, int8=True),
    "cresnet20": Case("C-ResNet-20, nothing binary", "cresnet20"),
    "cresnet20-binary": Case("C-ResNet-20, all binary", "cresnet20", eligible),
    "tiny-binary": Case("one block, all binary", "tiny", eligible),
    "tiny-binary-int8": Case("one block, all binary, the rest int8", "tiny", eligible, int8=True),
}
BENCH = tuple(key for key, case in CASES.items() if SHAPES[case.network] == SHAPE)
MONOTONE = "monotone"


def main() -> None:
    made = parser(__doc__.splitlines()[0], cases=(*CASES, MONOTONE), default=BENCH, threads=1, rounds=15, seconds=0.12)
    made.add_argument(
        "--network", choices=tuple(SHAPES), default="bireal18", help="which network the case monotone walks through"
    )
    made.add_argument("--orders", nargs="+", choices=ORDERS, default=ORDERS, help="the walks of the case monotone")
    made.add_argument("--layers", type=int, help="how many layers of each walk to make binary (all)")
    arguments = made.parse_args()
    chosen = options(arguments, BENCH)
    report = Report(
        f"Whole networks, {chosen.threads} thread(s), b2nn compiled for {targets.get(chosen.target).vector}"
    )
    with Workers() as workers, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for key in chosen.cases:
            print(key, file=sys.stderr)
            if key == MONOTONE:
                walk(
                    report,
                    workers,
                    arguments.network,
                    orders=arguments.orders,
                    target=chosen.target,
                    threads=chosen.threads,
                    rounds=chosen.rounds,
                    seconds=chosen.seconds,
                    folder=folder,
                    layers=arguments.layers,
                )
                continue
            case = CASES[key]
            model, shape = network(case.network), SHAPES[case.network]
            chosen_layers = case.binary(model, shape=shape)
            outcome = time_network(
                case.network,
                int8_rest(model, chosen_layers, shape=shape) if case.int8 else chosen_layers,
                workers,
                key=key,
                target=chosen.target,
                threads=(chosen.threads,),
                wanted=chosen.engines,
                rounds=chosen.rounds,
                seconds=chosen.seconds,
                folder=folder,
            )
            size = "x".join(map(str, shape[2:]))
            report.add(f"Networks at {size}", case.title, macs(model, shape=shape), outcome)
    report.finish(json_path=chosen.json, markdown_path=chosen.markdown)


if __name__ == "__main__":
    main()
