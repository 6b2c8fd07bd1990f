"""How our libraries scale from one thread to more, and whether more threads ever make a layer slower.

    python benchmarks/threads.py [--target native] [--threads 2] [--json FILE]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from network_models import eligible, network, save
from peers import b2nn_call
from report import Row, show
from rounds import Engine, interleave

import b2nn_tvm
from b2nn_tvm.targets import target as targets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", default="native", help="what our library is compiled for")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    isa = targets.get(options.target).vector
    rows = []
    for case, name, all_binary in (("ResNet-18", "resnet18", False), ("Bi-Real-18, all binary", "bireal18", True)):
        model = network(name)
        with tempfile.TemporaryDirectory() as folder:
            path = save(model, Path(folder) / "model.onnx", eligible(model) if all_binary else ())
            library = Path(folder) / "library"
            b2nn_tvm.compile_model(path, target=options.target, output=library)
            engines = {count: Engine(b2nn_call, {"folder": library, "threads": count}) for count in (1, options.threads)}
            timings = interleave(engines, seconds=0.15)
            rows += [Row("b2nn", f"{n} thread(s)", isa, case, n, t.min_ms, t.median_ms) for n, t in timings.items()]
            print(f"{case}: {options.threads} threads are {timings[1].min_ms / timings[options.threads].min_ms:.2f}x one thread (minima)")
    show(f"Threads, b2nn compiled for {isa}", rows, options.json)


if __name__ == "__main__":
    main()
