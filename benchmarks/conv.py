"""Our binary and float convolutions against onnxruntime float32, on ResNet-18's four stages, in one run.

    python benchmarks/conv.py [--target native] [--threads 1] [--json FILE]

A binary convolution is float in, float out: sign, packing, the convolution and its scale. Our kernels read and write
channels-last, as they do inside a network; onnxruntime reads and writes its own NCHW. Ratios are of minima.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import onnx
from machine import machine
from onnx import TensorProto, helper, numpy_helper
from peers import b2nn_call, onnxruntime_call
from rich.console import Console
from rich.table import Table
from rounds import Timing, interleave

import b2nn_tvm
from b2nn_tvm.document import write_atomic
from b2nn_tvm.targets import target as targets
from b2nn_tvm.workload import ConvWorkload

STAGES = tuple(
    ConvWorkload(1, channels, size, size, channels, (3, 3), (1, 1), (1, 1, 1, 1))
    for size, channels in ((56, 64), (28, 128), (14, 256), (7, 512))
)


def conv_model(workload: ConvWorkload, *, binary: bool, channels_last: bool) -> onnx.ModelProto:
    """One convolution with random weights, with input and output in NCHW or NHWC; the binary one in standard operators."""
    w = workload
    rng = np.random.default_rng(0)
    shape = (w.out_channels, w.in_channels // w.groups, *w.kernel)
    weight = rng.standard_normal(shape).astype(np.float32)
    constants = {"weight": np.where(weight >= 0, 1, -1).astype(np.float32) if binary else weight}
    nodes, x = [], "input"
    if channels_last:
        nodes.append(helper.make_node("Transpose", [x], ["nchw"], perm=[0, 3, 1, 2]))
        x = "nchw"
    if binary:
        constants |= {"zero": np.float32(0), "one": np.float32(1), "minus_one": np.float32(-1)}
        constants["scale"] = rng.uniform(0.5, 1.5, (w.out_channels, 1, 1)).astype(np.float32)
        nodes += [helper.make_node("GreaterOrEqual", [x, "zero"], ["positive"]), helper.make_node("Where", ["positive", "one", "minus_one"], ["signs"])]
        x = "signs"
    nodes.append(
        helper.make_node("Conv", [x, "weight"], ["sums"], name="conv", kernel_shape=w.kernel, strides=w.stride, pads=w.padding, dilations=w.dilation, group=w.groups)
    )
    y = "sums"
    if binary:
        nodes.append(helper.make_node("Mul", [y, "scale"], ["scaled"]))
        y = "scaled"
    nodes.append(helper.make_node("Transpose", [y], ["output"], perm=[0, 2, 3, 1] if channels_last else [0, 1, 2, 3]))
    order = (0, 2, 3, 1) if channels_last else (0, 1, 2, 3)
    sides = {"input": (w.batch, w.in_channels, w.in_height, w.in_width), "output": (w.batch, w.out_channels, w.out_height, w.out_width)}
    infos = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [dims[i] for i in order]) for name, dims in sides.items()}
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "conv", [infos["input"]], [infos["output"]], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def measure(workload: ConvWorkload, *, target: str, threads: int, folder: Path) -> dict[str, Timing]:
    """Timings of "onnxruntime float32", "b2nn float32" and "b2nn binary"."""
    shape = (workload.batch, workload.in_height, workload.in_width, workload.in_channels)
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    calls = {}
    for binary in (False, True):
        path = folder / f"{workload.key}_{binary}.onnx"
        onnx.save(conv_model(workload, binary=binary, channels_last=True), path)
        b2nn_tvm.compile_model(path, target=target, output=folder / path.stem)
        calls[f"b2nn {'binary' if binary else 'float32'}"] = b2nn_call(folder / path.stem, {"input": x}, threads=threads)
    path = folder / f"{workload.key}_peer.onnx"
    onnx.save(conv_model(workload, binary=False, channels_last=False), path)
    calls["onnxruntime float32"] = onnxruntime_call(path, {"input": x.transpose(0, 3, 1, 2).copy()}, threads=threads)
    return interleave(calls)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", default="native", help="what our library is compiled for")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    isa = targets.get(options.target).vector
    rows = []
    table = Table(title=f"3x3 convolutions, {options.threads} thread(s), {isa}; min / median ms")
    for head in ("case", "onnxruntime fp32", "b2nn fp32", "ratio", "b2nn binary", "ratio", "GMAC/s"):
        table.add_column(head, justify="left" if head == "case" else "right")
    with tempfile.TemporaryDirectory() as folder:
        for workload in STAGES:
            timings = measure(workload, target=options.target, threads=options.threads, folder=Path(folder))
            case = f"{workload.in_channels}ch {workload.in_height}x{workload.in_width}"
            peer, ours, binary = (timings[n] for n in ("onnxruntime float32", "b2nn float32", "b2nn binary"))
            cells = [f"{t.min_ms:.3f} / {t.median_ms:.3f}" for t in (peer, ours, binary)]
            ratios = [f"{peer.min_ms / t.min_ms:.2f}x" for t in (ours, binary)]
            rate = workload.macs / binary.min_ms / 1e6
            table.add_row(case, cells[0], cells[1], ratios[0], cells[2], ratios[1], f"{rate:.0f}")
            for name, timing in timings.items():
                engine, precision = name.split()
                rows.append(
                    {"engine": engine, "precision": precision, "isa": isa if engine == "b2nn" else "its own choice", "case": case,
                     "threads": options.threads, "min_ms": timing.min_ms, "median_ms": timing.median_ms}
                )  # fmt: skip
    console = Console(width=120)
    console.print(table)
    console.print(f"{machine()}; ratio: onnxruntime's minimum over ours")
    if options.json:
        write_atomic(options.json, json.dumps({"machine": machine(), "rows": rows}, indent=2).encode())


if __name__ == "__main__":
    main()
