"""What b2nn-compile says of a library: its layers, where its bytes go, its kernels, and what the passes did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from b2nn_tvm.cli import output

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact


def print_layers(artifact: Artifact, title: str) -> None:
    """A row per layer: what became of it, its bytes, and why it, or its input, stays float."""
    columns = ("layer", "precision", "workload", "schedule", "weights", "other bytes", "not binary because")
    rows = [
        (
            *(row.name, row.precision, _short(row.workload), row.schedule),
            *(_bytes(row.weight_bytes), _bytes(row.size_bytes - row.weight_bytes), row.reason),
        )
        for row in artifact.layers
    ]
    output.print_table(title, columns, rows)


def print_sizes(artifact: Artifact) -> None:
    """Where every byte of the file goes, and what an instance allocates beside it."""
    from b2nn_tvm.deploy.library.sizes import PARTS

    sizes, memory = artifact.manifest.sizes, artifact.manifest.memory
    parts = [(text, size := getattr(sizes, field), f"{size / sizes.library:.1%}") for field, text in PARTS.items()]
    parts.append((f"{artifact.manifest.library.file}, all of it", sizes.library, "100.0%"))
    rows = [(text, _bytes(size), share) for text, size, share in parts]
    output.print_table("where the bytes of the library go", ("part", "bytes", "share"), rows)
    activations = sum(step.output_bytes for step in artifact.manifest.steps)
    output.print_line(
        f"memory of an instance, none of it in the file: {_bytes(memory.arena)} bytes for the {_bytes(activations)}"
        f" bytes of all results, {_bytes(memory.staging)} for copies of inputs and outputs,"
        f" {_bytes(memory.workspace_per_thread)} for each thread"
    )


def print_kernels(artifact: Artifact) -> None:
    """A row per kernel call in order: what was fused into it, and what it reads and writes."""
    columns = ("#", "layer", "operations", "schedule", "result", "constants", "scratch")
    rows = [
        (
            *(str(index), step.layer, " + ".join(step.operations), step.schedule, " and ".join(step.outputs)),
            *(_bytes(step.constant_bytes), _bytes(step.workspace_bytes)),
        )
        for index, step in enumerate(artifact.manifest.steps)
    ]
    output.print_table("kernels in their order, and what was fused into each", columns, rows)


def print_rewrites(artifact: Artifact) -> None:
    """A row per decision of a pass about a layer."""
    rows = [
        (rewrite.layer or "-", rewrite.rule, "done" if rewrite.applied else "left", rewrite.reason)
        for rewrite in artifact.manifest.rewrites
    ]
    output.print_table("what the passes did to each layer, and what they left", ("layer", "pass", "", "why"), rows)


def as_document(artifact: Artifact, folder: str) -> dict[str, Any]:
    """All of it for ``--json``."""
    from dataclasses import asdict

    manifest = artifact.manifest
    tables = {name: [asdict(row) for row in getattr(manifest, name)] for name in ("layers", "steps", "rewrites")}
    return {
        "folder": folder,
        "target": artifact.target.name,
        "verification": asdict(manifest.verification),
        **tables,
        "sizes": asdict(manifest.sizes),
        "memory": asdict(manifest.memory),
    }


def _bytes(count: int) -> str:
    return f"{count:,}"


def _short(workload: str) -> str:
    """The key without what it says of almost every convolution: batch 1, no dilation, no groups."""
    return workload.removeprefix("conv2d_n1_").removesuffix("_d1x1_g1")
