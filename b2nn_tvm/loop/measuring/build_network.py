"""Build a network with some layers binary. Time depends on the structure alone, so no training comes first."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.costs.options import precisions_of
from b2nn_tvm.deploy.library.artifact import Artifact, load
from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.loop.job import Job
from b2nn_tvm.mixbin.conversion.convert_choice import convert_choice
from b2nn_tvm.preprocess.onnx_metadata import Meaning
from b2nn_tvm.progress import Progress, silent

if TYPE_CHECKING:
    import torch

    from b2nn_tvm.data.bundle import Batches
    from b2nn_tvm.mixbin.conversion.options import ConversionOptions


@dataclass(frozen=True)
class BuildTask:
    """A network to build, with all that a process needs to do so; the library goes into ``folder``/library.

    The layers of ``binary``, or options of layers, have fewer bits; ``images`` give the inputs of quantized ones their
    scales.
    """

    model: torch.nn.Module
    binary: tuple[str, ...]
    images: Batches
    conversion: ConversionOptions
    input_shape: tuple[int, ...]
    meaning: Meaning
    target: str
    input_format: str
    folder: Path

    def run(self, progress: Progress) -> dict[str, Any]:
        """Convert, export and compile; returns the library's size.

        Raises UnsupportedError where the compiler leaves a chosen layer float, and the errors of the compiler.
        """
        network = convert_choice(self.model, self.binary, self.conversion, lambda: self.images)
        model = export_onnx(
            network, self.folder / "model.onnx", input_shape=(1, *self.input_shape), meaning=self.meaning
        )
        artifact = compile_model(
            model,
            target=self.target,
            output=self.folder / "library",
            verify=False,
            input_format=self.input_format,
        )
        _check_precisions(artifact, self.binary)
        return {"size_bytes": artifact.size_bytes}


FEW = 8  # images give scales that are good enough to measure times by


def build_network(job: Job, binary: Iterable[str]) -> Artifact:
    """The library of the network with the ``binary`` layers (or options of layers), from disk if it was built before.

    Raises UnsupportedError where the compiler leaves a chosen layer float, and the errors of the compiler.
    """
    chosen = in_order(job, binary)
    phase = phase_of(job, chosen)
    job.state.run(phase, network_inputs(job, chosen), lambda folder: build_task(job, chosen, folder).run(silent))
    return load(job.state.files(phase) / "library")


def build_task(job: Job, chosen: tuple[str, ...], folder: Path) -> BuildTask:
    """The work of building the network with the ``chosen`` layers binary into ``folder``."""
    deployment, data = job.settings.deployment, job.data
    meaning = Meaning(data.preprocess)  # a network that takes pixels computes more
    return BuildTask(
        job.model,
        chosen,
        () if job.is_binary else data.calibration(FEW, seed=job.settings.training.seed),
        job.settings.conversion,
        data.input_shape,
        meaning,
        deployment.target,
        deployment.input_format,
        folder,
    )


def phase_of(job: Job, chosen: tuple[str, ...]) -> str:
    """The phase of the search that builds the network with the ``chosen`` layers binary."""
    return f"networks/{label_of(job, chosen)}"


def network_inputs(job: Job, chosen: tuple[str, ...]) -> dict[str, Any]:
    """What decides the code of a network with the ``chosen`` layers binary, as inputs of a phase."""
    conversion = asdict(job.settings.conversion) if chosen else None
    return {**job.structure_inputs(), **job.deployment_inputs(), "binary": list(chosen), "conversion": conversion}


def in_order(job: Job, binary: Iterable[str]) -> tuple[str, ...]:
    """The names of ``binary``, each once, in network order."""
    wanted = set(binary)
    return tuple(name for name in job.options if name in wanted)


def label_of(job: Job, binary: Collection[str]) -> str:
    """A short name for a choice of layers, such as "9-of-18-1d9854b8", which names the phases of this choice too."""
    chosen = " ".join(in_order(job, binary))
    return f"{len(binary)}-of-{len(job.choosing)}-{hashlib.sha256(chosen.encode()).hexdigest()[:8]}"


def _check_precisions(artifact: Artifact, chosen: tuple[str, ...]) -> None:
    """Weights that happen to have fewer values than their precision allows are computed in fewer bits."""
    rows = {row.name: row for row in artifact.layers}
    for name, precision in precisions_of(chosen).items():
        found = rows[name].precision if name in rows else "float"
        if found != precision if precision == "binary" else found in ("float", "weight-binary"):
            reason = rows[name].reason if name in rows else "no such layer in the compiled network"
            raise UnsupportedError(f"layer {name} was to be {precision}, but the compiler left it {found}: {reason}")
