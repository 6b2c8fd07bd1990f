"""Check a compiled library against onnxruntime on the very file from which the library was made.

The file says sign as x >= threshold and binary weights as -1 and +1, so onnxruntime computes each binary convolution
exactly (float32 sums of integers below 2^24) and is the reference of the whole network. Only the float parts may
differ, by rounding, and so may the side of a threshold within rounding of which a value lies.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.errors import VerificationError
from b2nn_tvm.verification.draw_inputs import NO_THRESHOLDS, Draw, draw_inputs
from b2nn_tvm.verification.oracle import NoReference, Oracle
from b2nn_tvm.verification.relative_difference import (
    excess,
    loses_infinities,
    relative_difference,
    tolerance,
)
from b2nn_tvm.verification.ties.agree_at_ties import TooManyOpen, agrees
from b2nn_tvm.words.number_of import number_of

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact

ATTEMPTS, ATTEMPTS_ALONE = 12, 6  # inputs, with values that show sides and without, where a search for them takes long
OVERFLOWS = 1e15  # products of two numbers of this size, summed in any order, may leave float32
DRAWS = (Draw.NORMAL, Draw.BORDERS, Draw.NORMAL)
INPUTS = len(DRAWS)

Run = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


class Undecided(VerificationError):
    """On too many of the inputs drawn, rounding alone decides what the outputs are; ``sides`` are the values that show
    on which side of its thresholds a library computes (show_sides).
    """

    def __init__(self, text: str, sides: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.sides = tuple(sides)


class Mismatch(VerificationError):
    """A library disagrees with the reference: the inputs, what was expected and what the library computed."""

    def __init__(
        self,
        text: str,
        *,
        inputs: Mapping[str, np.ndarray],
        expected: Mapping[str, np.ndarray],
        got: Mapping[str, np.ndarray],
    ) -> None:
        super().__init__(text)
        self.inputs, self.expected, self.got = inputs, expected, got


@dataclass(frozen=True)
class Comparison:
    """The largest relative difference on all ``inputs`` that were compared; ``remark`` says what is no fault, but good
    to know.
    """

    largest_difference: float
    inputs: int
    remark: str = ""


def verify_artifact(
    artifact: Artifact,
    onnx_path: str | os.PathLike[str],
    *,
    sign_zero: str | None = None,
    run: Run | None = None,
    what: str = "the compiled library",
    needed: int = INPUTS,
    show: Run | None = None,
) -> Comparison:
    """Run the library and onnxruntime on drawn inputs and compare their outputs.

    ``sign_zero`` is the compiled value of the operator Sign at 0, "+1" or "-1"; None stands for 0. ``run`` computes the
    library's outputs elsewhere than in this process, ``what`` names the library in errors, and ``needed`` is the number
    of inputs on which both must agree. ``show`` computes values by which the sides may be known that the library takes
    where rounding decides (show_sides). Raises Mismatch where they disagree by more than rounding, Undecided where
    rounding decides too much, and NoReference where onnxruntime cannot run the file.
    """
    compared = _Compared(artifact, Oracle(onnx_path, sign_zero=sign_zero), run or artifact.run, show)
    agreed, worst = 0, 0.0
    attempts = ATTEMPTS if show else ATTEMPTS_ALONE
    for attempt in range(attempts):
        if compared.hopeless:
            attempts = attempt
            break
        difference = compared.difference(DRAWS[agreed] if needed > 1 else Draw.NORMAL)
        if difference is None:
            continue
        if isinstance(difference, _Wrong):
            raise difference.mismatch(f"{what} disagrees with onnxruntime on {Path(onnx_path).name}")
        agreed, worst = agreed + 1, max(worst, difference)
        if agreed == needed:
            remark = compared.not_finite() if needed == INPUTS else ""
            return Comparison(float(worst), agreed, remark)
    decides = "overflow or rounding alone decides" if compared.overflowed else "rounding alone decides"
    raise Undecided(
        f"{what} could not be checked: {number_of(attempts, 'random input')} tried, and {agreed} free of "
        f"values on which {decides} the outputs, where {needed} would do; check it on your data, and compile it with"
        " --no-verify",
        compared.sides(),
    )


@dataclass(frozen=True)
class _Wrong:
    inputs: Mapping[str, np.ndarray]
    expected: Mapping[str, np.ndarray]
    got: Mapping[str, np.ndarray]
    half: bool

    def mismatch(self, who: str) -> Mismatch:
        name = max(self.expected, key=lambda n: excess({n: self.got[n]}, {n: self.expected[n]}))
        allowed = tolerance(self.expected[name].dtype, half=self.half)
        where = f", in the output {name!r}" if len(self.expected) > 1 else ""
        text = (
            f"{who}: relative difference {relative_difference(self.got, self.expected):.1e}, expected at most "
            f"{allowed:.0e}{where}"
        )
        return Mismatch(text, inputs=self.inputs, expected=self.expected, got=self.got)


class _Compared:
    """A library beside its reference, and the random numbers from which their inputs are drawn."""

    def __init__(self, artifact: Artifact, oracle: Oracle, run: Run, show: Run | None) -> None:
        self._artifact, self._oracle, self._run, self._show = artifact, oracle, run, show
        self._rng = np.random.default_rng(0)
        self._timid = False
        self.overflowed = False  # on some input, so that the order of sums decided
        self.hopeless = False  # where more is open on one random input than can be tried, it is so on others

    def difference(self, kind: Draw) -> float | _Wrong | None:
        """The relative difference on one input, what is wrong there, or None where that cannot be told."""
        inputs, expected = self._drawn(kind)
        got = self._run(inputs)
        half = self._oracle.half
        if excess(got, expected, half=half) <= 1:
            return relative_difference(got, expected)
        if kind is Draw.BORDERS and not _finite(expected):
            return None if loses_infinities(got, expected) else 0.0
        try:
            if not (_finite(expected) and _finite(got)) and self._oracle.forced.largest(inputs) >= OVERFLOWS:
                self.overflowed = True
                return None
            shown = self._show(inputs) if self._show else None
            verdict = agrees(self._oracle.forced, inputs, got, half=half, shown=shown)
        except NoReference:  # onnxruntime cannot force the decisions of this network
            verdict = None
        except TooManyOpen:
            self.hopeless, verdict = kind is Draw.NORMAL, None
        if verdict is False:
            return _Wrong(inputs, expected, got, half)
        return None if verdict is None else 0.0

    def sides(self) -> list[str]:
        """The values that show the sides which the library takes; none where onnxruntime cannot force them."""
        try:
            return list(dict.fromkeys(each.shown for each in self._oracle.forced.decisions if not each.exact))
        except NoReference:
            return []

    def not_finite(self) -> str:
        """Which outputs hide the infinities and NaN of an input; empty where none does."""
        if not any(np.issubdtype(np.dtype(spec.dtype), np.floating) for spec in self._artifact.inputs):
            return ""
        inputs, expected = self._drawn(Draw.NOT_FINITE)
        hidden = loses_infinities(self._run(inputs), expected)
        if not hidden:
            return ""
        return f"for inputs with infinities or NaN, {', '.join(hidden)} is finite where onnxruntime's is not"

    def _drawn(self, kind: Draw) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Inputs, and the outputs of the reference for them.

        onnxruntime refuses some integers, such as indices out of range: then 0 and 1 are drawn from there on.
        """
        specs = self._artifact.inputs
        compares = kind is Draw.BORDERS and self._oracle.compares
        thresholds = self._oracle.forced.thresholds if compares else NO_THRESHOLDS
        integers = any(np.dtype(spec.dtype).kind in "iu" for spec in specs)
        uses = self._oracle.uses if integers else {}
        inputs = draw_inputs(specs, self._rng, kind, uses=uses, thresholds=thresholds, timid=self._timid)
        try:
            return inputs, self._oracle.run(inputs)
        except NoReference:
            if self._timid or not any(not use.known for use in uses.values()):
                raise
            self._timid = True
            return self._drawn(kind)


def _finite(outputs: Mapping[str, np.ndarray]) -> bool:
    return all(bool(np.isfinite(value).all()) for value in outputs.values() if value.dtype.kind == "f")
