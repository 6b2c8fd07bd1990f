"""b2nn-profile --what-if: the table of both forms of each convolution, and the front between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from b2nn_tvm.what_if.measure_forms import WhatIf
    from b2nn_tvm.what_if.result import Layer, Mixture

KIND, VERSION = "b2nn-what-if", 1
_NAMED = 3  # so many layers are named in a row of the front


def run(
    model: str,
    *,
    target: str,
    device: str,
    threads: int,
    timeout_s: float,
    input_shapes: dict[str, tuple[int, ...]],
    costs: str | None,
    as_json: bool,
) -> None:
    """Compile and measure both networks, add the rows to the cost table ``costs``, and print the tables or JSON."""
    from pathlib import Path

    from b2nn_tvm.cli import draw_progress
    from b2nn_tvm.cli import output as out
    from b2nn_tvm.costs.table import CostTable
    from b2nn_tvm.deploy.devices.open_device import open_device
    from b2nn_tvm.storage.try_to_write import try_to_write_file
    from b2nn_tvm.what_if.measure_forms import what_if

    path, table = Path(costs) if costs else None, CostTable()
    if path:  # tried first, so that a bad one ends it here
        try_to_write_file(path)
        table = CostTable.load(path) if path.exists() else table
    with draw_progress.progress() as progress, open_device(device, timeout_s=timeout_s) as where:
        found = what_if(
            model, target=target, device=where, threads=threads, input_shapes=input_shapes or None, progress=progress
        )
    if path:
        table.add(found.costs).save(path)
    if as_json:
        out.print_document(KIND, VERSION, as_document(found))
        return
    _print_tables(found)


def as_document(found: WhatIf) -> dict[str, Any]:
    """The comparison as one JSON-able document."""
    from dataclasses import asdict

    body = asdict(found)
    layers = [{**asdict(layer), "saving_ms": layer.saving_ms} for layer in found.layers]
    del body["costs"]
    return {**body, "layers": layers}


def _print_tables(found: WhatIf) -> None:
    from b2nn_tvm.cli import output as out
    from b2nn_tvm.words.number_of import number_of

    where = f"{found.model} for {found.target} on {found.device}, {number_of(found.threads, 'thread')}"
    head = ("layer", "workload", "float ms", "binary ms", "saving ms", "")
    out.print_table(f"{where}: each convolution in both forms", head, [_layer_row(row) for row in found.layers])
    columns = ("binary layers", "MACs that stay float", "ms", "", "binary")
    rows = [_mixture_row(row, found) for row in found.front]
    out.print_table(
        "the whole network, by the MACs (multiply-accumulates) of its convolutions that stay float", columns, rows
    )
    out.print_line("measured: a whole network; predicted: the float network less the savings of the binary layers")
    out.print_line(found.accuracy)


def _layer_row(layer: Layer) -> tuple[str, ...]:
    workload = layer.workload.removeprefix("conv2d_n1_").removesuffix("_d1x1_g1")
    head = (layer.name, workload, f"{layer.float_ms:.4f}")
    if layer.binary_ms is None or layer.saving_ms is None:
        return (*head, "-", "-", f"stays float: {layer.reason}")
    remark = "" if layer.saving_ms > 0 else "binary does not pay here"
    return (*head, f"{layer.binary_ms:.4f}", f"{layer.saving_ms:.4f}", remark)


def _mixture_row(row: Mixture, found: WhatIf) -> tuple[str, ...]:
    eligible = sum(layer.binary_ms is not None for layer in found.layers)
    named = ", ".join(row.binary[:_NAMED])
    if len(row.binary) > _NAMED:
        named = "all of them" if len(row.binary) == eligible else f"{named} and {len(row.binary) - _NAMED} more"
    label = "measured" if row.measured else "predicted"
    return (f"{len(row.binary)} of {eligible}", f"{row.float_macs:.1%}", f"{row.ms:.4f}", label, named)
