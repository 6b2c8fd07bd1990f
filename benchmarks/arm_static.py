"""ResNet-18's layers on ARM boards, without a board: the executed instructions, and the cycles of LLVM's models.

    python benchmarks/arm_static.py [--target arm rpi3 rpi4 rpi5 armv7] [--cases all|stages] [--json FILE]

The emulator counts instructions exactly, and the same on every run. Cycles are an estimate by llvm-mca's model of the
CPU, with each loop in its steady state and all data in the first-level cache. Neither is a time. A layer reads and
writes floats, so the packing of the input counts for a layer of bits or of whole numbers. The script needs
``make arm-emulator`` and, for the cycles, ``make llvm-tools``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx
from conv_models import binary_conv, code_conv, dense, float_conv, is_dense
from layer_engines import conv
from rich.console import Console
from rich.progress import track
from rich.table import Table
from tvm import tirx

from b2nn_tvm.deploy.estimate.llvm_tools import VERSION, LlvmTools, find_llvm_tools, model
from b2nn_tvm.deploy.estimate.static_cost import cycles_of, execute_function
from b2nn_tvm.errors import ToolchainError
from b2nn_tvm.frontend.import_onnx import import_onnx
from b2nn_tvm.passes.pipeline import to_kernels
from b2nn_tvm.schedules.schedule_module import schedule_module, vector_unit_named
from b2nn_tvm.schedules.tiles.tile_records import load_records
from b2nn_tvm.storage.document import write_atomic
from b2nn_tvm.targets import target as targets
from b2nn_tvm.workload import ConvWorkload

# Precisions of whole numbers: the codes of the input, and the largest weight.
CODES = {"w1a2": {"codes": 4, "largest": 1}, "int8": {"codes": 256, "largest": 127}}
TARGETS = ("arm", "rpi3", "rpi4", "rpi5", "armv7")
CPUS = {"arm": ("cortex-a53", "cortex-a72", "cortex-a76")}  # the boards that the code for all of them runs on
INSTRUCTIONS = "instructions executed (emulated)"
CYCLES = "static estimate (llvm-mca {version}, {model} model, data in the first-level cache), not measured"


STAGES = {f"3x3 {c}ch {s}x{s}": conv(s, c) for s, c in ((56, 64), (28, 128), (14, 256), (7, 512))}
STRIDED = {
    f"3x3 s2 {c}-{2 * c}ch {s}x{s}": conv(s, c, out=2 * c, stride=2) for s, c in ((56, 64), (28, 128), (14, 256))
}
NEVER_BINARY = {
    "stem 7x7 s2 224x224": conv(224, 3, 7, out=64, stride=2),
    **{
        f"1x1 s2 {c}-{2 * c}ch {s}x{s}": conv(s, c, 1, out=2 * c, stride=2) for s, c in ((56, 64), (28, 128), (14, 256))
    },
    "dense 512-1000": conv(1, 512, 1, out=1000),
}


@dataclass(frozen=True)
class Row:
    """One layer in one precision for one target: its multiply-accumulates, its ``instructions`` and, for each CPU, its
    ``cycles``.
    """

    target: str
    case: str
    precision: str
    macs: int
    instructions: int
    cycles: dict[str, float]


def layer(case: str, workload: ConvWorkload, precision: str, target: str, tools: LlvmTools | None) -> Row:
    """The figures of one layer: the sums over all kernels that it would have in a library."""
    info = targets.get(target)
    if precision in CODES:
        network = code_conv(workload, **CODES[precision], channels_last=True)
    elif is_dense(workload):
        network = dense(workload)
    else:
        network = (binary_conv if precision == "binary" else float_conv)(workload, channels_last=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layer.onnx"
        onnx.save(network, path)
        kernels = to_kernels(import_onnx(path), vector_unit_named(info.vector).layout, info.tvm_target())
    scheduled = schedule_module(
        kernels.module, vector_unit=vector_unit_named(info.vector), records=load_records(info.vector)
    )
    functions = [f for f in scheduled.module.functions.values() if isinstance(f, tirx.PrimFunc)]
    executed = [execute_function(function, info) for function in functions]
    cpus = CPUS.get(target, (info.mcpu,)) if tools else ()
    cycles = {cpu: sum(cycles_of(one, info, tools, cpu=cpu) for one in executed) for cpu in cpus}
    return Row(target, case, precision, workload.macs, sum(one.instructions for one in executed), cycles)


def cases(which: str) -> Iterator[tuple[str, ConvWorkload, str]]:
    """The (case, workload, precision) of each layer to compile."""
    both = STAGES if which == "stages" else STAGES | STRIDED
    for case, workload in both.items():
        for precision in ("binary", "w1a2", "int8", "float"):
            yield case, workload, precision
    for case, workload in NEVER_BINARY.items() if which == "all" else ():
        yield case, workload, "int8"
        yield case, workload, "float"


def show(target: str, rows: Sequence[Row], console: Console) -> None:
    """Print a table of one target: each layer's figures per thousand MACs, and the ratios of float to it."""
    info = targets.get(target)
    cpus = tuple(rows[0].cycles)
    table = Table(title=f"{target} ({info.description}), for 1,000 multiply-accumulates")
    for name in (
        "layer",
        "precision",
        INSTRUCTIONS,
        *(f"cycles, {cpu}\n(static estimate)" for cpu in cpus),
        "float / this",
    ):
        table.add_column(name, justify="left" if name in ("layer", "precision") else "right")
    floats = {row.case: row for row in rows if row.precision == "float"}
    for row in rows:
        ratio = ""
        if row.precision != "float":
            other = floats[row.case]
            ratios = [other.instructions / row.instructions, *(other.cycles[cpu] / row.cycles[cpu] for cpu in cpus)]
            ratio = " / ".join(f"{value:.1f}x" for value in ratios)
        figures = [f"{1000 * value / row.macs:.1f}" for value in (row.instructions, *row.cycles.values())]
        table.add_row(row.case, row.precision, *figures, ratio)
    console.print(table)
    for cpu in cpus:
        console.print(f"cycles, {cpu}: {CYCLES.format(version=VERSION, model=model(cpu, info.triple))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--cases", choices=["stages", "all"], default="all")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    console = Console(width=150)
    try:
        tools = find_llvm_tools()
    except ToolchainError as error:
        console.print(f"no cycles: {error}")
        tools = None
    rows: list[Row] = []
    for target in options.target:
        chosen = list(cases(options.cases))
        rows += [layer(*one, target, tools) for one in track(chosen, target, console=Console(stderr=True))]
        show(target, [row for row in rows if row.target == target], console)
    if options.json:
        labels = {"instructions": INSTRUCTIONS, "cycles": CYCLES.format(version=VERSION, model="the CPU's")}
        document = {"labels": labels, "rows": [asdict(row) for row in rows]}
        write_atomic(options.json, (json.dumps(document, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
