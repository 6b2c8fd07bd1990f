"""onnxruntime's int8 form of the float network beside the delivered library: time, in turns, and accuracy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from b2nn_tvm.deploy.library.artifact import Artifact, load
from b2nn_tvm.errors import DeviceError, InputError
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.loop.job import Job
from b2nn_tvm.mixbin.training.digests import model_digest
from b2nn_tvm.verification.quantize_int8 import quantize_int8

IMAGES = 64  # that ranges are taken from
ROUNDS = 200
BURST_MS = 1.0  # short, so that some bursts fit between two other programs'
UNDISTURBED = 0.1  # this quantile of the bursts counts: the others were disturbed
PHASE = "measure onnxruntime's int8 beside the library"


@dataclass(frozen=True)
class Int8Beside:
    """The milliseconds of onnxruntime's int8 form and of the library, both measured in the same turns on this machine.

    ``accuracy`` is the int8 form's share of right answers on the test set; ``size_bytes`` is the size of its file.
    """

    ms: float
    library_ms: float
    accuracy: float
    size_bytes: int
    version: str


def measure_int8(job: Job, library: Path) -> Int8Beside:
    """Quantize the float network, ``job.model``, with ranges from training images, and measure it beside ``library``.

    The form is static: signed weights per channel, unsigned activations. Raises InputError where onnxruntime is missing
    or cannot quantize the network.
    """
    check_int8(job.settings.deployment.device)
    import onnxruntime

    with load(library) as artifact:
        inputs = {
            "weights": model_digest(job.model),
            "library": artifact.manifest.library.sha256,
            "data": job.data.digest,
            "threads": job.settings.deployment.threads,
            "onnxruntime": onnxruntime.__version__,
        }
        return Int8Beside(**job.state.run("int8", inputs, lambda folder: asdict(_measure(job, artifact, folder))))


def check_int8(device: str) -> None:
    """Raise an error where onnxruntime cannot be measured beside a library on ``device``: it runs on this machine."""
    if device != "local":
        raise DeviceError(f"onnxruntime is measured on this machine alone, not on {device}: leave int8 out")
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        raise InputError("onnxruntime is not installed: pip install 'b2nn-tvm[verify]', or leave int8 out") from None


def _measure(job: Job, artifact: Artifact, folder: Path) -> Int8Beside:
    import onnxruntime

    job.progress(PHASE, 0, 3)
    float_file = export_onnx(job.model, folder / "float.onnx", input_shape=(1, *job.data.input_shape))
    try:
        file = quantize_int8(float_file, folder / "int8.onnx", _calibration(job))
    except Exception as error:  # onnxruntime raises errors of many kinds for operators that it cannot quantize
        raise InputError(
            f"onnxruntime cannot make an int8 form of this network ({type(error).__name__}: {error}): leave int8 out"
        ) from error
    job.progress(PHASE, 1, 3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.settings.deployment.threads
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    accuracy = _accuracy(job, session)
    job.progress(PHASE, 2, 3)
    image = next(_calibration(job))
    ours, theirs = _in_turn(_library_run(artifact, image, options.intra_op_num_threads), _session_run(session, image))
    job.progress(PHASE, 3, 3)
    return Int8Beside(theirs, ours, accuracy, file.stat().st_size, onnxruntime.__version__)


def _calibration(job: Job) -> Iterator[dict[str, np.ndarray]]:
    for images, _ in job.data.calibration(IMAGES, seed=job.settings.training.seed):
        for image in images.numpy():
            yield {"input": np.ascontiguousarray(image[None])}


def _accuracy(job: Job, session: Any) -> float:
    right = count = 0
    for images, labels in job.data.test_loader():
        for image, label in zip(images.numpy(), labels.numpy(), strict=True):
            (scores, *_) = session.run(["output"], {"input": np.ascontiguousarray(image[None])})
            right += int(scores.argmax()) == int(label)
            count += 1
    return right / count


def _library_run(artifact: Artifact, image: dict[str, np.ndarray], threads: int) -> Callable[[], object]:
    outputs = [np.empty(spec.shape, spec.dtype) for spec in artifact.outputs]
    return artifact.instance(threads=threads).bind([image[spec.name] for spec in artifact.inputs], outputs)


def _session_run(session: Any, image: dict[str, np.ndarray]) -> Callable[[], object]:
    binding = session.io_binding()
    binding.bind_cpu_input("input", image["input"])
    binding.bind_output("output")
    return lambda: session.run_with_iobinding(binding)


def _in_turn(*runs: Callable[[], object]) -> list[float]:
    """The milliseconds of one call of each, undisturbed: all take turns in short bursts."""
    counts = [max(1, round(BURST_MS / max(_burst(run, 3), 1e-4))) for run in runs]
    bursts = [[_burst(run, count) for run, count in zip(runs, counts, strict=True)] for _ in range(ROUNDS)]
    return [float(value) for value in np.quantile(np.array(bursts), UNDISTURBED, axis=0)]


def _burst(run: Callable[[], object], count: int) -> float:
    run()  # with what the other one left in the caches
    begin = time.perf_counter()
    for _ in range(count):
        run()
    return 1e3 * (time.perf_counter() - begin) / count
