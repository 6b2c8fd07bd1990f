"""Measure the tiles of the built-in networks' kernels and write the records that ship.

    python benchmarks/tune_records.py [--target native x86 x86-avx512] [--trials 24]

The script goes on where it stopped: a workload with a record is not measured again. It prints how much slower the
default tile is than the fastest measured tile. It needs an idle machine. For a target whose code this machine cannot
run (arm, armv7) the tiles are chosen by static cost, an estimate, and the records say so.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from network_models import eligible, network, save
from rich.console import Console
from rich.progress import track

from b2nn_tvm import models
from b2nn_tvm.deploy.devices.local import LocalDevice
from b2nn_tvm.deploy.estimate.static_bench import StaticBench
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.frontend.import_onnx import import_onnx
from b2nn_tvm.mixbin.conversion.convert import convert
from b2nn_tvm.mixbin.network.layers import trace
from b2nn_tvm.passes.pipeline import to_kernels
from b2nn_tvm.schedules.schedule_module import vector_unit_named
from b2nn_tvm.schedules.tiles import tile_records as shipped
from b2nn_tvm.schedules.tiles.tile_records import load_records
from b2nn_tvm.schedules.tuning.tune import measure_tiles, record_of, tasks
from b2nn_tvm.targets import target as targets

NOTED = 1.15  # how much slower a default tile is before it is listed


def files(folder: Path) -> list[Path]:
    """The built-in networks, float and all binary, as ONNX files."""
    paths = []
    for name in ("resnet18", "bireal18"):
        model = network(name)
        paths += [save(model, folder / f"{name}.onnx"), save(model, folder / f"{name}-binary.onnx", eligible(model))]
    small = models.get("cresnet20")().eval()
    shape = (1, 3, 32, 32)
    paths.append(export_onnx(small, folder / "cresnet20.onnx", input_shape=shape))
    binary = convert(small, trace(small, shape[1:]).eligible)
    paths.append(export_onnx(binary, folder / "cresnet20-binary.onnx", input_shape=shape))
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", nargs="+", default=["x86-vpopcntdq", "x86-avx512", "x86"])
    parser.add_argument("--trials", type=int, default=24, help="tiles per kernel, the default tile first")
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        networks = files(Path(folder))
        for word in options.target:
            target = targets.get(word)
            vector_unit = vector_unit_named(target.vector)
            path = shipped.SHIPPED / f"{vector_unit.name}.json"
            records = load_records(vector_unit.name)
            bench = StaticBench(target) if target.missing else None
            device, figure = (bench.cpu, bench.unit) if bench else (LocalDevice().describe().cpu, "")
            losses = []
            for network_path in networks:
                kernels = to_kernels(import_onnx(network_path), vector_unit.layout, target.tvm_target())
                open_tasks = list(tasks(kernels.module, vector_unit, records, estimates_suffice=bool(figure)))
                for function, anchor, tiles in track(open_tasks, f"{word}: {network_path.stem}"):
                    tried = tiles[: options.trials]
                    costs = measure_tiles(function, tried, target=target, measured=lambda _: None, bench=bench)
                    best = min(costs, key=costs.__getitem__)
                    losses.append(
                        (
                            costs[tiles[0]] / costs[best],
                            f"{anchor.op} {anchor.workload}: {tiles[0].word} -> {best.word}",
                        )
                    )
                    records = records.with_record(record_of(anchor, best, costs[best], device=device, unit=figure))
                    records.save(path)
            if losses:
                (worst, _), usual = max(losses), statistics.median(loss for loss, _ in losses)
                console.print(
                    f"{word}: default tiles take {usual:.2f} times (median), {worst:.2f} times (worst) the fastest of"
                    f" {len(losses)}"
                )
                for loss, which in sorted(losses, reverse=True):
                    if loss > NOTED:
                        console.print(f"  {loss:.2f} {which}", soft_wrap=True)


if __name__ == "__main__":
    main()
