"""Check a compiled library against onnxruntime on the very file it was made from.

The file says sign as x >= threshold and binary weights as -1 and +1, so onnxruntime computes each binary convolution exactly
(float32 sums of integers below 2^24) and is the reference of the whole network. Only the float parts may differ, by rounding;
where an input of a sign lies within rounding of its threshold, the two may take different sides, and that input says nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.errors import VerificationError

if TYPE_CHECKING:
    from b2nn_tvm.deploy.artifact import Artifact

TOLERANCE = 1e-4  # of the largest magnitude of an output
TIE = 3e-6  # of the largest magnitude of a sign's input: what float32 sums of a few thousand terms round away
INPUTS, ATTEMPTS = 3, 12


def verify_artifact(artifact: Artifact, onnx_path: str | os.PathLike) -> float:
    """Run both on random inputs and return the largest relative difference.

    Raises VerificationError where they disagree on an input without ties, or where all inputs drawn had ties.
    """
    oracle = Oracle(onnx_path)
    rng = np.random.default_rng(0)
    agreed, worst = 0, 0.0
    for _ in range(ATTEMPTS):
        inputs = {spec.name: _draw(spec.shape, spec.dtype, rng) for spec in artifact.inputs}
        difference = relative_difference(artifact.run(inputs), oracle.run(inputs))
        if difference > TOLERANCE and oracle.closest_tie(inputs) < TIE:
            continue
        if difference > TOLERANCE:
            raise VerificationError(
                f"the compiled library disagrees with onnxruntime on {Path(onnx_path).name}: relative difference "
                f"{difference:.1e}, expected at most {TOLERANCE:.0e}; this is a fault of the compiler, please report it with the file"
            )
        agreed, worst = agreed + 1, max(worst, difference)
        if agreed == INPUTS:
            return worst
    raise VerificationError(
        f"the compiled library could not be checked: of {ATTEMPTS} random inputs only {agreed} of the {INPUTS} needed were free "
        "of values within rounding of a sign's threshold; check it on your data, or pass --no-verify"
    )


class Oracle:
    """An ONNX file in onnxruntime on one thread, and the distance of its signs' inputs from their thresholds."""

    def __init__(self, onnx_path: str | os.PathLike):
        self._path = Path(onnx_path)
        self._session = _session(self._path.read_bytes() if not _has_external_data(self._path) else str(self._path))
        self._names = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(self._names, self._session.run(None, dict(inputs)), strict=True))

    def closest_tie(self, inputs: Mapping[str, np.ndarray]) -> float:
        """The smallest distance |x - threshold| at any sign, relative to that tensor's largest |x|; inf without signs."""
        import onnx

        model = onnx.load(self._path)
        values = {initializer.name: onnx.numpy_helper.to_array(initializer) for initializer in model.graph.initializer}
        signs = dict(_signs(model.graph))
        if not signs:
            return np.inf
        known = {output.name for output in model.graph.output}
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in signs if name not in known)
        session = _session(model.SerializeToString())
        closest = np.inf
        for name, x in zip(signs, session.run(list(signs), dict(inputs)), strict=True):
            threshold = values.get(signs[name], np.zeros(1, np.float32))
            shape = (-1, 1, 1) if threshold.ndim == 1 and x.ndim == 4 else threshold.shape
            distance = np.abs(x - threshold.reshape(shape)).min()
            closest = min(closest, float(distance / max(np.abs(x).max(), np.finfo(np.float32).tiny)))
        return closest


def relative_difference(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> float:
    """The largest |ours - theirs| of any output, relative to that output's largest magnitude; inf where NaNs differ."""
    worst = 0.0
    for name, expected in theirs.items():
        if not np.array_equal(np.isnan(ours[name]), np.isnan(expected)):
            return float("inf")
        scale = max(float(np.nanmax(np.abs(expected), initial=0.0)), np.finfo(np.float32).tiny)
        worst = max(worst, float(np.nanmax(np.abs(ours[name] - expected), initial=0.0)) / scale)
    return worst


def _signs(graph):
    """(input, threshold) names of each sign: of the function BinaryConv2d, and of comparisons in plain form."""
    for node in graph.node:
        if node.op_type == "BinaryConv2d":
            yield node.input[0], node.input[3]
        elif node.op_type in ("GreaterOrEqual", "Greater", "Less", "LessOrEqual"):
            yield node.input[0], node.input[1]
        elif node.op_type == "Sign":
            yield node.input[0], ""


def _has_external_data(path: Path) -> bool:
    return path.with_name(path.name + ".data").exists()


def _session(model: bytes | str):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _draw(shape: tuple[int, ...], dtype: str, rng: np.random.Generator) -> np.ndarray:
    if np.issubdtype(np.dtype(dtype), np.floating):
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(0, 2, shape).astype(dtype)
