"""Deliver the finished network: export it to ONNX, compile a library per target, check it on the test set and measure
it on the device.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.costs.options import option
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.library.artifact import Artifact
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.loop.job import Job
from b2nn_tvm.loop.measuring.build_network import in_order
from b2nn_tvm.loop.measuring.measure_network import FINEST, SURE, measure_beside_float, measuring_machine
from b2nn_tvm.loop.measuring.network_time import NetworkTime
from b2nn_tvm.loop.measuring.settle_references import REFERENCE, level_inputs, reference_inputs
from b2nn_tvm.loop.measuring.time_rows import network_time
from b2nn_tvm.mixbin.modules.quantized_layer import quantized_layers
from b2nn_tvm.mixbin.training.digests import model_digest
from b2nn_tvm.preprocess.block import block_of
from b2nn_tvm.preprocess.onnx_metadata import Meaning

MEASUREMENTS = 3
PHASE = "export, compile and check the chosen network"


@dataclass(frozen=True)
class OtherAnswer:
    """A test image, by its place in the test set, on which the library and the torch model name different classes.

    ``gap`` is how far the scores of these two classes are apart in torch, as a share of its largest score: where it is
    tiny, rounding decides between them.
    """

    index: int
    torch: int
    library: int
    gap: float


@dataclass(frozen=True)
class Delivery:
    """The libraries of the chosen network, and the time and the answers of the measured one.

    ``time`` is the measured time, with the names of the layers that are binary; the budget is about its ``quantile``.
    ``accuracy`` is the library's share of right answers on the ``images`` images of the test set, in [0, 1]; on
    all but ``other_answers`` its answer is the torch model's; ``answers`` are the classes that it says, in the order
    of the test set. ``libraries`` maps targets to folders, the measured target first.
    """

    libraries: dict[str, Path]
    time: NetworkTime
    size_bytes: int
    accuracy: float
    other_answers: tuple[OtherAnswer, ...]
    images: int
    device: str
    isa: str
    answers: tuple[int, ...] = ()
    quantile: float | None = None

    @property
    def measured_ms(self) -> float:
        """The milliseconds of an undisturbed inference, or of an observed one where the budget is about those."""
        return self.time.at(self.quantile)

    def keeps(self, limit_ms: float) -> bool:
        """Whether the library keeps a limit in milliseconds."""
        return self.time.keeps(limit_ms, self.quantile)


def deliver(
    job: Job,
    model: torch.nn.Module,
    output: Path,
    *,
    phase: str,
    limit_ms: float | None,
    plan_digest: str,
    quantile: float | None = None,
) -> Delivery:
    """Export and compile ``model`` for all targets, verify the library, run the test set through it, and measure it.

    Where the interval of the time holds ``limit_ms``, it is measured more precisely, up to three times in all; not
    where the limit is about a ``quantile`` of the observed times, which more precision does not change.
    The files end up in ``output``: model.onnx, and a folder per target. ``phase`` is the name of this phase in the
    state.
    """
    targets = list(job.settings.deployment.targets)
    limit_ms = limit_ms if quantile is None else None
    machine = measuring_machine(job)
    inputs = {
        "weights": model_digest(model),
        **job.structure_inputs(),
        **job.deployment_inputs(),
        "machine": machine,
        **level_inputs(job.state.finished(REFERENCE, reference_inputs(job, machine)) or {}),
        "limit": limit_ms,
        "precision": job.settings.deployment.precision,
        "kept": "answers and others",
    }
    inputs |= {"targets": targets, "plan": plan_digest, "conversion": asdict(job.settings.conversion)}
    meaning = job.meaning(_classes(model, job))
    block = None if meaning.preprocess is None else block_of(meaning.preprocess)
    inputs |= {"preprocess": block, "labels": list(meaning.labels or ())}
    found = job.state.run(
        phase, inputs, lambda folder: _deliver(job, model, folder, targets, limit_ms, plan_digest, meaning)
    )
    _publish(job.state.files(phase), output, [*targets, "model.onnx"])
    found["time"] = NetworkTime.from_json(found["time"])
    found["answers"] = tuple(found["answers"])
    found["other_answers"] = tuple(OtherAnswer(**each) for each in found["other_answers"])
    return Delivery(libraries={name: output / name for name in targets}, quantile=quantile, **found)


def _deliver(
    job: Job,
    model: torch.nn.Module,
    folder: Path,
    targets: list[str],
    limit_ms: float | None,
    plan_digest: str,
    meaning: Meaning,
) -> dict[str, Any]:
    job.progress(PHASE, 0, len(targets) + 2)
    onnx = export_onnx(model, folder / "model.onnx", input_shape=(1, *job.data.input_shape), meaning=meaning)
    input_format = job.settings.deployment.input_format
    artifacts = []
    for index, target in enumerate(targets):
        job.progress(PHASE, index + 1, len(targets) + 2)
        artifacts.append(
            compile_model(
                onnx, target=target, output=folder / target, plan_digest=plan_digest, input_format=input_format
            )
        )
    job.progress(PHASE, len(targets) + 1, len(targets) + 2)
    with artifacts[0] as artifact:
        right, others, answers = _answers(job, artifact, model)
        quantized = [option(name, layer.precision) for name, layer in quantized_layers(model).items()]
        time = _measure(job, artifact, limit_ms)
        time = replace(time, binary=in_order(job, (*time.binary, *quantized)))
        job.progress(PHASE, len(targets) + 2, len(targets) + 2)
        return {
            "time": asdict(time),
            "size_bytes": artifact.size_bytes,
            "accuracy": right / len(answers),
            "other_answers": list(map(asdict, others)),
            "images": len(answers),
            "device": time.device,
            "isa": time.isa,
            "answers": answers,
        }


def _measure(job: Job, artifact: Artifact, limit_ms: float | None) -> NetworkTime:
    """The time of the library, measured more precisely as long as its interval holds the limit, in the milliseconds
    that it was chosen by.
    """
    job = replace(job, keeps_levels=True)
    binary = tuple(row.name for row in artifact.layers if row.precision == "binary")
    share = job.settings.deployment.precision
    with open_device(job.settings.deployment.device) as device:
        for _ in range(MEASUREMENTS):
            record = measure_beside_float(job, device, [artifact], share=share, least=SURE)
            time = network_time(job, binary, artifact, record, device, layers=False)
            if limit_ms is None or not time.low_ms <= limit_ms < time.high_ms:
                break
            share = max(share / 2, FINEST)
    return time


def _answers(job: Job, artifact: Artifact, model: torch.nn.Module) -> tuple[int, list[OtherAnswer], list[int]]:
    """(right answers, answers other than the torch model's, all answers) over the test set, one image at a time on the
    device.
    """
    right = 0
    others: list[OtherAnswer] = []
    answers: list[int] = []
    model.eval()
    deployment = job.settings.deployment
    (name,) = (spec.name for spec in artifact.inputs)
    with open_device(deployment.device) as device:
        for batch, labels in job.data.test_loader():
            seen, given = _as_given(artifact, batch.numpy())
            with torch.inference_mode():
                expected = model(torch.from_numpy(seen)).numpy()
            for image, label, scores in zip(given, labels.numpy(), expected, strict=True):
                inputs = {name: np.ascontiguousarray(image[None])}
                outputs = device.run(artifact, inputs, threads=deployment.threads)
                found = int(outputs["output"].argmax())
                right += found == int(label)
                if found != (best := int(scores.argmax())):
                    gap = float((scores[best] - scores[found]) / max(np.abs(scores).max(), np.finfo(np.float32).tiny))
                    others.append(OtherAnswer(len(answers), best, found, gap))
                answers.append(found)
    return right, others, answers


def _as_given(artifact: Artifact, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normalized images [N, C, H, W], and the same as the library takes them: where these are pixels, the nearest ones,
    and the images that they stand for.
    """
    preprocess = artifact.manifest.preprocess
    if preprocess is None or not preprocess.baked:
        return batch, batch
    pixels = preprocess.denormalized(batch)
    return preprocess.normalized(pixels), pixels


def _classes(model: torch.nn.Module, job: Job) -> int:
    """The number of scores that the network gives for an image."""
    with torch.inference_mode():
        scores: torch.Tensor = model.eval()(torch.zeros(1, *job.data.input_shape))
    return scores[0].numel()


def _publish(source: Path, output: Path, names: list[str]) -> None:
    """Copy the files and folders ``names`` from ``source`` into ``output``; each one appears whole or not at all."""
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output, prefix=".publish.") as temporary:
        for name in names:
            copy, old = Path(temporary) / name, Path(temporary) / f"old-{name}"
            if (source / name).is_dir():
                shutil.copytree(source / name, copy)
            else:
                shutil.copy2(source / name, copy)
            if (output / name).is_dir():
                os.replace(output / name, old)
            os.replace(copy, output / name)
