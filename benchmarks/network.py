"""Whole networks at 224x224: ours beside onnxruntime and OpenVINO, float, int8 and binary, in one run.

    python benchmarks/network.py [--target native] [--threads 1] [--json FILE]

Bi-Real-18 with nothing, 15 and 50 % of its FLOPs left, and everything eligible binary, and ResNet-18. The peers' float and int8
columns compute the float network of the same case, their binary column and ours the mixed one.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from pathlib import Path

from network_models import eligible, network, save, share_of_flops
from openvino_peer import openvino_call
from peers import b2nn_call, onnxruntime_call, quantize
from report import Row, show
from rounds import Engine, interleave

import b2nn_tvm
from b2nn_tvm.targets import target as targets


def measure(case: str, model, binary: tuple[str, ...], *, target: str, threads: int, folder: Path) -> list[Row]:
    isa = targets.get(target).vector
    plain = save(model, folder / "float.onnx")
    int8 = quantize(plain, folder / "int8.onnx")
    engines = {
        ("onnxruntime", "fp32", "own choice"): Engine(onnxruntime_call, {"path": plain, "threads": threads}),
        ("onnxruntime", "int8", "own choice"): Engine(onnxruntime_call, {"path": int8, "threads": threads}),
    }
    openvino = importlib.util.find_spec("openvino") is not None
    if openvino:
        engines["openvino", "fp32", "own choice"] = Engine(openvino_call, {"path": plain, "threads": threads})
        engines["openvino", "int8", "own choice"] = Engine(openvino_call, {"path": int8, "threads": threads})
    mixed = save(model, folder / "mixed.onnx", binary)
    if openvino and binary:
        engines["openvino", "mixed", "own choice"] = Engine(openvino_call, {"path": mixed, "threads": threads})
    b2nn_tvm.compile_model(mixed, target=target, output=folder / "library")
    engines["b2nn", "mixed", isa] = Engine(b2nn_call, {"folder": folder / "library", "threads": threads})
    return [Row(*key, case, threads, t.min_ms, t.median_ms) for key, t in interleave(engines, seconds=0.15).items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", default="native", help="what our library is compiled for")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    bireal, resnet = network("bireal18"), network("resnet18")
    cases = {
        "ResNet-18, nothing binary": (resnet, ()),
        "Bi-Real-18, nothing binary": (bireal, ()),
        "Bi-Real-18, 50 % of FLOPs": (bireal, share_of_flops(bireal, 0.5)),
        "Bi-Real-18, 15 % of FLOPs": (bireal, share_of_flops(bireal, 0.15)),
        "Bi-Real-18, all binary": (bireal, eligible(bireal)),
    }
    rows = []
    for case, (model, binary) in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(case, model, binary, target=options.target, threads=options.threads, folder=Path(folder))
    isa = targets.get(options.target).vector
    show(f"Networks at 224x224, {options.threads} thread(s), b2nn compiled for {isa}", rows, options.json)


if __name__ == "__main__":
    main()
