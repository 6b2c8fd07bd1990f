"""Single layers: our binary and float kernels beside onnxruntime and OpenVINO, in one run.

    python benchmarks/conv.py [--target native] [--threads 1] [--cases stages|binary|float|all] [--json FILE]

A binary convolution is float in, float out: sign, packing, the convolution and its scale. Our kernels read and write
channels-last, as they do inside a network; the others read and write NCHW, as they do. Without OpenVINO installed its columns
are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from pathlib import Path

import onnx
from conv_models import binary_conv, dense, float_conv
from openvino_peer import openvino_call
from peers import b2nn_call, onnxruntime_call, quantize
from report import Row, show
from rounds import Engine, interleave

import b2nn_tvm
from b2nn_tvm.targets import target as targets
from b2nn_tvm.workload import ConvWorkload


def _conv(size: int, channels: int, kernel: int = 3, *, out: int = 0, stride: int = 1, pad: int | None = None, groups: int = 1):
    pads = (kernel // 2 if pad is None else pad,) * 4
    return ConvWorkload(1, channels, size, size, out or channels, (kernel,) * 2, (stride,) * 2, pads, (1, 1), groups)


STAGES = {f"{c}ch {s}x{s}": _conv(s, c) for s, c in ((56, 64), (28, 128), (14, 256), (7, 512))}
BINARY = {
    "1x1 128ch 28x28": _conv(28, 128, 1), "1x1 256ch 14x14": _conv(14, 256, 1), "1x1 512ch 7x7": _conv(7, 512, 1),
    "3x3 s2 64-128 56x56": _conv(56, 64, out=128, stride=2), "3x3 s2 128-256 28x28": _conv(28, 128, out=256, stride=2),
    "3x3 s2 256-512 14x14": _conv(14, 256, out=512, stride=2),
}  # fmt: skip
FLOAT = {
    "stem 7x7 s2 224x224": _conv(224, 3, 7, out=64, stride=2), "1x1 s2 64-128 56x56": _conv(56, 64, 1, out=128, stride=2),
    "1x1 s2 256-512 14x14": _conv(14, 256, 1, out=512, stride=2), "1x1 256ch 14x14": _conv(14, 256, 1),
    "depthwise 3x3 256ch 28x28": _conv(28, 256, groups=256), "depthwise 3x3 s2 512ch 14x14": _conv(14, 512, stride=2, groups=512),
}  # fmt: skip
DENSE = {"dense 512-1000": (1, 512, 1000), "dense 2048-1000": (1, 2048, 1000)}


def measure(case: str, workload, *, binary: bool, float_: bool, target: str, threads: int, folder: Path) -> list[Row]:
    """The rows of one case: the float peers always, our float and both binary kernels as asked."""
    save = lambda model, name: (onnx.save(model, folder / name), folder / name)[1]
    isa = targets.get(target).vector
    is_conv = isinstance(workload, ConvWorkload)
    plain = save(float_conv(workload, channels_last=False) if is_conv else dense(*workload), "peer.onnx")
    openvino = importlib.util.find_spec("openvino") is not None
    engines = {("onnxruntime", "fp32", "own choice"): Engine(onnxruntime_call, {"path": plain, "threads": threads})}
    int8 = quantize(plain, folder / "int8.onnx")
    engines["onnxruntime", "int8", "own choice"] = Engine(onnxruntime_call, {"path": int8, "threads": threads})
    if openvino:
        engines["openvino", "fp32", "own choice"] = Engine(openvino_call, {"path": plain, "threads": threads})
    if float_:
        ours = save(float_conv(workload, channels_last=True), "float.onnx") if is_conv else plain
        b2nn_tvm.compile_model(ours, target=target, output=folder / "float")
        engines["b2nn", "fp32", isa] = Engine(b2nn_call, {"folder": folder / "float", "threads": threads})
    if binary:
        ours = save(binary_conv(workload, channels_last=True), "binary.onnx")
        b2nn_tvm.compile_model(ours, target=target, output=folder / "binary", verify=False)  # the node has no body to run
        engines["b2nn", "binary", isa] = Engine(b2nn_call, {"folder": folder / "binary", "threads": threads})
        if openvino:
            theirs = save(binary_conv(workload, channels_last=False), "binary-peer.onnx")
            engines["openvino", "binary", "own choice"] = Engine(openvino_call, {"path": theirs, "threads": threads})
    timings = interleave(engines)
    macs = workload.macs if is_conv else workload[0] * workload[1] * workload[2]
    return [Row(*key, case, threads, t.min_ms, t.median_ms, macs / t.min_ms / 1e6) for key, t in timings.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", default="native", help="what our library is compiled for")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cases", choices=["stages", "binary", "float", "all"], default="stages")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    chosen = []
    if options.cases in ("stages", "all"):
        chosen += [(case, workload, True, True) for case, workload in STAGES.items()]
    if options.cases in ("binary", "all"):
        chosen += [(case, workload, True, False) for case, workload in BINARY.items()]
    if options.cases in ("float", "all"):
        chosen += [(case, workload, False, True) for case, workload in (FLOAT | DENSE).items()]
    rows = []
    for case, workload, binary, float_ in chosen:
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(
                case, workload, binary=binary, float_=float_, target=options.target, threads=options.threads, folder=Path(folder)
            )
    isa = targets.get(options.target).vector
    show(f"Single layers, {options.threads} thread(s), b2nn compiled for {isa}", rows, options.json)


if __name__ == "__main__":
    main()
