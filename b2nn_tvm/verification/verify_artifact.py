"""Check a compiled library against onnxruntime on the very file from which the library was made.

The file says sign as x >= threshold and binary weights as -1 and +1, so onnxruntime computes each binary convolution
exactly (float32 sums of integers below 2^24) and is the reference of the whole network. Only the float parts may
differ, by rounding. Where an input of a sign lies within rounding of its threshold, library and onnxruntime may take
different sides, and that network input decides nothing.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.errors import VerificationError

if TYPE_CHECKING:
    import onnx
    from onnxruntime import InferenceSession

    from b2nn_tvm.deploy.library.artifact import Artifact

TOLERANCE = 1e-4  # of the largest magnitude of an output
HALF_TOLERANCE = 1e-2  # the same for float16 outputs, which onnxruntime computes in float32 and our libraries do not
TIE = 3e-6  # of the largest magnitude of a sign's input: the rounding error of float32 sums of a few thousand terms
INPUTS, ATTEMPTS = 3, 12
# Folds the scale behind a binary convolution into its weights of -1 and +1, so that the sums are no longer exact, and
# no longer 0 where they should be.
INEXACT = ["ConvMulFusion"]
# How onnxruntime says that it has no operator, or no kernel of it for these types.
NO_KERNEL = ("is not a registered function/op", "No Op registered for", "Could not find an implementation for")

Run = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


def installed() -> bool:
    """Whether onnxruntime is installed, so that libraries can be verified against it."""
    return importlib.util.find_spec("onnxruntime") is not None


class Undecided(VerificationError):
    """Too many of the inputs drawn had ties."""


class NoReference(VerificationError):
    """onnxruntime has no kernel for an operator of the file; ``reason`` says for which."""

    def __init__(self, text: str, *, reason: str) -> None:
        super().__init__(text)
        self.reason = reason


def verify_artifact(
    artifact: Artifact,
    onnx_path: str | os.PathLike[str],
    *,
    sign_zero: str | None = None,
    run: Run | None = None,
    what: str = "the compiled library",
    needed: int = INPUTS,
) -> float:
    """Run the library and onnxruntime on random inputs and return the largest relative difference of their outputs.

    ``sign_zero`` is the compiled value of the operator Sign at 0, "+1" or "-1"; None stands for 0. ``run`` computes the
    library's outputs elsewhere than in this process, ``what`` names the library in errors, and ``needed`` is the number
    of inputs on which both must agree. Raises VerificationError where they disagree on an input without ties, Undecided
    where too many of the inputs drawn had ties, and VerificationError or NoReference where onnxruntime cannot run the
    file.
    """
    run = run or artifact.run
    oracle = Oracle(onnx_path, sign_zero=sign_zero)
    rng = np.random.default_rng(0)
    agreed, worst = 0, 0.0
    tolerance = HALF_TOLERANCE if any(spec.dtype == "float16" for spec in artifact.outputs) else TOLERANCE
    for _ in range(ATTEMPTS):
        inputs = {spec.name: _draw(spec.shape, spec.dtype, rng) for spec in artifact.inputs}
        difference = relative_difference(run(inputs), oracle.run(inputs))
        if difference > tolerance and oracle.closest_tie(inputs) < TIE:
            continue
        if difference > tolerance:
            raise VerificationError(
                f"{what} disagrees with onnxruntime on {Path(onnx_path).name}: relative difference {difference:.1e},"
                f" expected at most {tolerance:.0e}; this is a fault of the compiler, please report it with the file"
            )
        agreed, worst = agreed + 1, max(worst, difference)
        if agreed == needed:
            return worst
    raise Undecided(
        f"{what} could not be checked: of {ATTEMPTS} random inputs only {agreed} of the {needed} needed were free "
        "of values within rounding of a sign's threshold; check it on your data, and compile it with --no-verify"
    )


class Oracle:
    """An ONNX file in onnxruntime on one thread, and the distance of its signs' inputs from their thresholds.

    ``sign_zero`` is the value of Sign at 0, "+1" or "-1", or None for 0. Raises VerificationError where onnxruntime
    cannot run the file.
    """

    def __init__(self, onnx_path: str | os.PathLike[str], *, sign_zero: str | None = None):
        self._path = Path(onnx_path)
        self._sign_zero = sign_zero
        self._session = self._make_session(self._model().SerializeToString() if self._is_rewritten else str(self._path))
        self._names = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs by name."""
        return dict(zip(self._names, self._session.run(None, dict(inputs)), strict=True))

    def closest_tie(self, inputs: Mapping[str, np.ndarray]) -> float:
        """The smallest distance |x - threshold| at any sign, relative to the largest magnitude at that sign; inf
        without signs.
        """
        if self._tie_session is None:
            return np.inf
        names, session = self._tie_session
        values = session.run(names, dict(inputs))
        return min(map(_distance, values[::2], values[1::2]))

    @cached_property
    def _tie_session(self) -> tuple[list[str], InferenceSession] | None:
        """A session that also computes x and threshold of each sign, and their output names; None without signs."""
        import onnx
        from onnx import inliner

        model = inliner.inline_local_functions(self._model())
        read = [name for pair in _signs(model.graph) for name in pair]
        if not read:
            return None
        names = [f"b2nn_tie_{index}" for index in range(len(read))]
        model.graph.node.extend(_node("Identity", (source,), name) for source, name in zip(read, names))
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
        return names, self._make_session(model.SerializeToString())

    @cached_property
    def _is_rewritten(self) -> bool:
        import onnx
        from google.protobuf.message import DecodeError

        from b2nn_tvm.verification.oracle_model import needs_rewriting

        try:
            model = onnx.load(self._path, load_external_data=False)
        except DecodeError:
            return False  # onnxruntime will name the fault of the file
        return needs_rewriting(model, sign_zero=self._sign_zero)

    def _model(self) -> onnx.ModelProto:
        """The file's model in operators that onnxruntime has, where each Sign has the value ``sign_zero`` at 0."""
        import onnx

        from b2nn_tvm.verification.oracle_model import rewritten

        model = onnx.load(self._path)
        return rewritten(model, sign_zero=self._sign_zero) if self._is_rewritten else model

    def _make_session(self, model: str | bytes) -> InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            return onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"], disabled_optimizers=INEXACT
            )
        except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no root of their own
            raw = str(error).strip().splitlines()[0]
            reason = _reason(raw)
            text = (
                f"onnxruntime cannot run {self._path.name}, so the library cannot be checked against it: {reason}; "
                "compile it with --no-verify and check it on your data"
            )
            if any(words in raw for words in NO_KERNEL):
                raise NoReference(text, reason=reason.replace(str(self._path), self._path.name)) from None
            raise VerificationError(text) from None


def _reason(error: str) -> str:
    """The part that onnxruntime lacks: the operator or kernel by its name where the error names one, else the error
    itself.
    """
    if found := re.search(r"(\S*):(\w+)\(-?\d+\) is not a registered function/op", error):
        return f"it has no operator {'::'.join(filter(None, found.groups()))}"
    if found := re.search(r'Node, \("(.*?)", (\w+), "(.*?)", .* No Op registered for', error):
        node, op, domain = found.groups()
        return f"it has no operator {'::'.join(filter(None, (domain, op)))} (node {node!r})"
    if found := re.search(r"Could not find an implementation for (\w+)\(\d+\) node with name '(.*?)'", error):
        return "it has no kernel for {} of these types (node {!r})".format(*found.groups())
    return error


def relative_difference(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> float:
    """The largest |ours - theirs| of any output, relative to that output's largest finite magnitude.

    It is inf where shapes or types differ, or where one value is not finite and the other value differs from it.
    """
    worst = 0.0
    for name, expected in theirs.items():
        got = ours[name]
        if got.shape != expected.shape or got.dtype != expected.dtype:
            return float("inf")
        got, expected = got.astype(np.float64), expected.astype(np.float64)
        finite = np.isfinite(expected)
        if not np.array_equal(got[~finite], expected[~finite], equal_nan=True) or not np.isfinite(got[finite]).all():
            return float("inf")
        scale = max(np.abs(expected[finite]).max(initial=0.0), np.finfo(np.float32).tiny)
        worst = max(worst, float(np.abs(got[finite] - expected[finite]).max(initial=0.0)) / scale)
    return worst


def _signs(graph: onnx.GraphProto) -> list[tuple[str, str]]:
    """(x, threshold) of each comparison, and of each Sign, to whose graph a node for the zero is added."""
    found = []
    for node in list(graph.node):
        if node.op_type in ("GreaterOrEqual", "Greater", "Less", "LessOrEqual"):
            found.append((node.input[0], node.input[1]))
        elif node.op_type == "Sign":
            found.append((node.input[0], f"{node.output[0]}_b2nn_zero"))
            graph.node.append(_node("Sub", (node.output[0], node.output[0]), found[-1][1]))
    return found


def _distance(x: np.ndarray, threshold: np.ndarray) -> float:
    """The smallest |x - threshold| relative to the largest of both; inf between integers, which are compared
    exactly.
    """
    if not np.issubdtype(x.dtype, np.floating):
        return np.inf
    distance = np.abs(x - threshold)
    scale = max(np.abs(values[np.isfinite(values)]).max(initial=0.0) for values in (x, threshold))
    return float(np.nanmin(distance, initial=np.inf) / max(scale, np.finfo(np.float32).tiny))


def _node(op: str, inputs: tuple[str, ...], output: str) -> onnx.NodeProto:
    from onnx import helper

    return helper.make_node(op, inputs, [output])


def _draw(shape: tuple[int, ...], dtype: str, rng: np.random.Generator) -> np.ndarray:
    if np.issubdtype(np.dtype(dtype), np.floating):
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(0, 2, shape).astype(dtype)
