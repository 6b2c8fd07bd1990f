"""The tables of b2nn-compile about a library: its layers, its bytes, its kernels, and the decisions of the passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from b2nn_tvm.cli import output
from b2nn_tvm.words.number_of import number_of
from b2nn_tvm.words.operations import in_words, name_shown

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact


def names_shown(artifact: Artifact) -> dict[str, str]:
    """The names of the layers as tables show them: what belongs to no layer is told in words."""
    steps = {step.layer: step.operations for step in artifact.manifest.steps}
    return {row.name: name_shown(row.name, row.op, steps.get(row.name, (row.op,))) for row in artifact.layers}


def print_layers(artifact: Artifact, title: str) -> None:
    """Print a row per layer: its precision and schedule, its bytes, and why it, or its input, stays float."""
    columns = ("layer", "precision", "workload", "schedule", "weights", "other bytes", "not binary because")
    names = names_shown(artifact)
    rows = [
        (
            *(names[row.name], row.precision, _short(row.workload), row.schedule),
            *(_bytes(row.weight_bytes), _bytes(row.size_bytes - row.weight_bytes), row.reason),
        )
        for row in artifact.layers
    ]
    output.print_table(title, columns, rows)


def print_sizes(artifact: Artifact) -> None:
    """Print how many bytes each part of the file takes, and what an instance allocates beside the file."""
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


def print_levels(artifact: Artifact) -> None:
    """Print a row per level of a library of several: when it runs, its size, and how its layers are computed."""
    manifest = artifact.manifest
    if not manifest.levels:
        return
    sizes, above = manifest.sizes, manifest.levels
    constants = sum(step.constant_bytes for step in manifest.steps)
    first = (sizes.kernel_code - sum(each.kernel_code for each in above), constants)
    added = [first, *((each.kernel_code, each.constants) for each in above)]
    levels = [artifact.at_level(isa) for isa in manifest.isas]
    rows = [
        (level.target.vector, level.target.name, ", ".join(level.target.requires), *map(_bytes, (*new, sum(new))))
        for level, new in zip(levels, added, strict=True)
    ]
    columns = ("level", "target", "runs where the CPU has", "kernels", "constants", "bytes that it adds")
    output.print_table("levels, of which the last one that the CPU has runs", columns, rows)
    schedules = [{row.name: row.schedule for row in level.layers} for level in levels]
    rows = [(shown, *(each.get(name, "") for each in schedules)) for name, shown in names_shown(artifact).items()]
    output.print_table("how each level computes the layers", ("layer", *manifest.isas), rows)


def print_kernels(artifact: Artifact) -> None:
    """Print a row per kernel call in order: the operators fused into it, its results, constants and scratch memory."""
    columns = ("step", "layer", "operations", "schedule", "result", "constants", "scratch")
    names = names_shown(artifact)
    rows = [
        (
            *(str(index), step.layer if names.get(step.layer) == step.layer else "-", in_words(step.operations)),
            *(step.schedule, " and ".join(step.outputs)),
            *(_bytes(step.constant_bytes), _bytes(step.workspace_bytes)),
        )
        for index, step in enumerate(artifact.manifest.steps)
    ]
    output.print_table("kernels in their order, and what was fused into each", columns, rows)


def print_rewrites(artifact: Artifact) -> None:
    """Print a row per decision of a pass about a layer."""
    rows = [
        (rewrite.layer or "-", rewrite.rule, "done" if rewrite.applied else "left", rewrite.reason)
        for rewrite in artifact.manifest.rewrites
    ]
    output.print_table("what the passes did to each layer, and what they left", ("layer", "pass", "", "why"), rows)


def network_notes(artifact: Artifact) -> list[str]:
    """What is to be said of the network as a whole: that its signs are missing, how often a sign's 0 became 1, or that
    nothing of it is binary.
    """
    from b2nn_tvm.provenance.rewrite_log import AT_THRESHOLD

    rows = [rewrite for rewrite in artifact.manifest.rewrites if rewrite.rule in ("CanonicalizeSign", "ClassifyConvs")]
    notes = [row.reason for row in rows if not row.layer and not row.applied]
    if count := sum(row.applied and AT_THRESHOLD in row.reason for row in rows):
        notes.append(
            f"the sign in front of {number_of(count, 'layer')} is 0 at 0 in the file, and +1 here, where only rounding"
            " makes it 0; --explain names the layers"
        )
    precisions = {row.precision for row in artifact.layers}
    if not notes and precisions == {"float"} and any(row.op == "conv2d" for row in artifact.layers):
        name = artifact.manifest.build.model
        notes.append(
            f"{name} has no binary layers, so all of it is computed in float: b2nn-profile {name} --what-if says what"
            " binary layers would save, and b2nn-search trains them"
        )
    return notes


def as_document(artifact: Artifact, folder: str) -> dict[str, Any]:
    """The content of all these tables as one JSON-able document, for ``--json``."""
    from dataclasses import asdict

    manifest = artifact.manifest
    tables = {name: [asdict(row) for row in getattr(manifest, name)] for name in ("layers", "steps", "rewrites")}
    return {
        "folder": folder,
        "target": artifact.target.name,
        "note": manifest.build.note,
        "verification": asdict(manifest.verification),
        **tables,
        "sizes": asdict(manifest.sizes),
        "memory": asdict(manifest.memory),
        "levels": [asdict(level) for level in manifest.levels],
    }


def _bytes(count: int) -> str:
    return f"{count:,}"


def _short(workload: str) -> str:
    """The workload key without the parts that almost every convolution shares: batch 1, no dilation, no groups."""
    return workload.removeprefix("conv2d_n1_").removesuffix("_d1x1_g1")
