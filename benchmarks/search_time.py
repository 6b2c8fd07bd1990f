"""How long a search takes where nothing was compiled or measured before: phase by phase, without any training.

    python benchmarks/search_time.py [--network resnet18-224] [--front 8] [--json FILE]

The first search begins with empty caches and measures a front. The second one, in a process of its own, has another
budget and goes on in the folder of the first. The images are random numbers: they only have to be scored.

The rows are {search, phase, seconds}: "first" or "second", and the phase as the progress bar names it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import torch
from latency_model import NETWORKS
from network_models import network

import b2nn_tvm
from b2nn_tvm.data import DataBundle, TensorImages
from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.storage.document import write_document

IMAGES = 16
CLASSES = 10  # of the images: all networks here have at least as many


def main() -> None:
    arguments = _arguments()
    if arguments.one:
        print(json.dumps(search_once(arguments.network, Path(arguments.one), arguments.budget, arguments.front)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, budget, front in (("first", "50%ms", arguments.front), ("second", "60%ms", 0)):
            begin = time.monotonic()
            words = [
                "--one",
                f"{folder}/out",
                "--budget",
                budget,
                "--front",
                str(front),
                "--network",
                arguments.network,
            ]
            done = subprocess.run(
                [sys.executable, __file__, *words],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "XDG_CACHE_HOME": f"{folder}/cache"},
            )
            seconds = time.monotonic() - begin
            phases = {**json.loads(done.stdout), "in all": seconds}
            rows += [{"search": name, "phase": phase, "seconds": took} for phase, took in phases.items()]
            for phase, took in phases.items():
                print(f"{name:8} {took:8.1f} s  {phase}", flush=True)
    if arguments.json:
        head = {"network": arguments.network, "front": arguments.front, "machine": asdict(LocalDevice().describe())}
        write_document(arguments.json, "search-time", 1, {**head, "rows": rows})


def search_once(key: str, folder: Path, budget: str, front: int) -> dict[str, float]:
    """The seconds of each phase of a search: from its first sign of progress to the next phase's first one."""
    begun: list[tuple[str, float]] = [("start", time.monotonic())]

    def note(phase: str, done: int, total: int, detail: str = "") -> None:
        if phase != begun[-1][0]:
            begun.append((phase, time.monotonic()))

    name, size, *options = NETWORKS[key]
    settings = {"epochs": 0, "float_epochs": 0, "front": front}
    model = network(name, **dict(*options))
    b2nn_tvm.search(model, data=_random_images(size), output=folder, budget=budget, progress=note, **settings)
    ends = [*(at for _, at in begun[1:]), time.monotonic()]
    seconds: dict[str, float] = {}
    for (phase, at), end in zip(begun, ends, strict=True):
        seconds[phase] = seconds.get(phase, 0.0) + end - at
    return seconds


def _random_images(size: int) -> DataBundle:
    torch.manual_seed(0)
    images = TensorImages(torch.randn(IMAGES, 3, size, size), torch.randint(CLASSES, (IMAGES,)))
    names = tuple(map(str, range(CLASSES)))
    return DataBundle("random", images, images, images, names, (3, size, size), (0.0,) * 3, (1.0,) * 3)


def _arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--network", choices=NETWORKS, default="resnet18-224")
    made.add_argument("--front", type=int, default=8, help="points of the first search's front")
    made.add_argument("--json", type=Path, help="write the rows to this file")
    made.add_argument("--one", help=argparse.SUPPRESS)
    made.add_argument("--budget", help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    main()
