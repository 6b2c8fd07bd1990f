"""Compile a float ONNX network as it is and with all eligible convolutions binary, and measure both, layer by layer."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.costs.table import CostRow, NetworkRow
from b2nn_tvm.deploy.devices.device import Device
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.latency.measure import Measurement, measure_in_turn
from b2nn_tvm.deploy.latency.profile import rows
from b2nn_tvm.deploy.library.artifact import Artifact
from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.onnx_convolutions import OnnxConvolution, static_graph
from b2nn_tvm.frontend.read_onnx import load_model
from b2nn_tvm.plan import Plan, Precision
from b2nn_tvm.progress import Progress, as_progress
from b2nn_tvm.targets import target as targets
from b2nn_tvm.what_if.result import ACCURACY, Layer, Mixture, WholeTimes, mixtures

_COMPILE = "compile both networks"


@dataclass(frozen=True)
class WhatIf:
    """What binary layers would save: ``layers`` in graph order, and the ``front`` from all float to all binary.

    ``costs`` are the rows of both measurements for a cost table.
    """

    model: str
    target: str
    isa: str
    device: str
    threads: int
    layers: tuple[Layer, ...]
    front: tuple[Mixture, ...]
    costs: tuple[CostRow | NetworkRow, ...]
    accuracy: str = ACCURACY


def what_if(
    onnx_path: str | os.PathLike[str],
    *,
    target: str = "native",
    device: str | Device = "local",
    threads: int = 1,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    sign_zero: str | None = None,
    progress: Progress | None = None,
) -> WhatIf:
    """Measure what binary convolutions would save in a float ONNX network, without any training.

    The two networks take turns on the device, and undisturbed times count. The arguments are those of ``compile_model``
    and ``measure``. Neither library is compared with onnxruntime, because
    only their times count. Raises UnsupportedError, with the reasons, where no convolution may become binary, and the
    errors of the compiler and the device.
    """
    progress = as_progress(progress)
    static = static_graph(load_model(onnx_path), input_shapes=input_shapes, sign_zero=sign_zero)
    if not static.eligible:
        reasons = ", ".join(f"{conv.name} ({conv.reason})" for conv in static.convolutions) or "there is none"
        raise UnsupportedError(f"{onnx_path}: no convolution of this network may become binary: {reasons}")
    plan = Plan(dict.fromkeys(static.eligible, Precision.BINARY))
    with tempfile.TemporaryDirectory(prefix="b2nn-") as name, ExitStack() as opened:
        where = opened.enter_context(open_device(device)) if isinstance(device, str) else device
        where.check(targets.get(target))  # before anything is compiled
        artifacts = []
        for index, binarize in enumerate((None, plan)):
            show = lambda phase, done, total, detail="", at=index: progress(_COMPILE, at, 2, phase)
            artifact = compile_model(
                onnx_path,
                target=target,
                output=Path(name) / str(index),
                input_shapes=input_shapes,
                sign_zero=sign_zero,
                verify=False,
                binarize=binarize,
                progress=show,
            )
            artifacts.append(opened.enter_context(artifact))
        progress(_COMPILE, 2, 2)
        all_float, all_binary = measure_in_turn(artifacts, device=where, threads=threads, progress=progress)
        costs = (*rows(all_float, artifacts[0]), *rows(all_binary, artifacts[1]))
    both = _times(all_float), _times(all_binary)
    layers = tuple(_layer(conv, artifacts[1], *both) for conv in static.convolutions)
    front = mixtures(layers, all_float=both[0], all_binary=both[1])
    names = all_float.target, all_float.isa, all_float.device.label
    return WhatIf(Path(onnx_path).name, *names, all_float.threads, layers, front, costs)


def _times(found: Measurement) -> WholeTimes:
    return WholeTimes(found.undisturbed_ms, {layer.name: layer.undisturbed_ms for layer in found.per_layer})


def _layer(conv: OnnxConvolution, binary: Artifact, float_times: WholeTimes, binary_times: WholeTimes) -> Layer:
    """Both times of a convolution, or the reason why it has only one; ``binary`` is the network of binary layers."""
    workload = ("", 0) if conv.workload is None else (conv.workload.key, conv.workload.macs)
    float_ms = float_times.layer_ms.get(conv.name, 0.0)
    if conv.reason:
        return Layer(conv.name, *workload, float_ms, None, conv.reason)
    row = next((row for row in binary.layers if row.name == conv.name), None)
    if row is None or row.precision != "binary":
        reason = "it has no kernel of its own" if row is None else row.reason
        return Layer(conv.name, *workload, float_ms, None, f"the compiler leaves it float: {reason}")
    return Layer(conv.name, *workload, float_ms, binary_times.layer_ms.get(conv.name, 0.0))
