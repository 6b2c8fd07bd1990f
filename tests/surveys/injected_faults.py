"""What the check after compiling finds: libraries with one fault each, and right ones."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact

TITLE = "Faults that the check finds"
ABOUT = """
Small networks (`tests/support/networks/injected_faults.py`): two with binary layers, one of which is residual, and one
with a resize. Each is compiled with one fault, in three draws, and the check compares the library with the right file.
The cases "right" are the same networks without a fault, one with a dozen float convolutions in front of a sign, and
random ones. The verdict is "right" where a fault is found or a right library is accepted. "no difference" is a fault
that changes no output on any of twenty inputs by more than the tolerance; "missed" is another one that the check
accepts, "refused" a right library that it does not. The last columns say what the check would say with other constants
(`b2nn_tvm/verification/ties/`, `open_choices.py` and `forced_oracle.py`): `OPEN`, within which of a threshold a value
may fall on either side; `SEVERAL`, how much more than rounding at random a difference may be; and `ROUNDING`, the size
of that rounding.
"""
OTHERS = {
    "OPEN / 10": ("open_choices.OPEN", 0.1),
    "OPEN * 10": ("open_choices.OPEN", 10),
    "SEVERAL / 4": ("open_choices.SEVERAL", 0.25),
    "SEVERAL * 4": ("open_choices.SEVERAL", 4),
    "ROUNDING / 10": ("forced_oracle.ROUNDING", 0.1),
    "ROUNDING * 10": ("forced_oracle.ROUNDING", 10),
}
JUST, SAME, UNDECIDED, MISSED, REFUSED = "right", "no difference", "undecided", "missed", "refused"
COLUMNS = ("case", "outcome", *OTHERS, "difference", "reason")
OUTCOMES = (JUST, SAME, UNDECIDED, MISSED, REFUSED)
DRAWS = 3  # of each fault in each network
RIGHT, RANDOM = 8, 24  # draws of each right network, and random networks
RIGHT_WORD, RANDOM_WORD = "right", "random"


def names() -> list[str]:
    """Fault, network and seed of each case."""
    from tests.support.networks.injected_faults import DEEP, FAULTS, NETWORKS, faulty

    cases = [
        f"{fault}: {kind} {seed}"
        for fault in FAULTS
        for kind in NETWORKS
        for seed in range(DRAWS)
        if faulty(kind, fault, seed) is not None
    ]
    cases += [f"{RIGHT_WORD}: {kind} {seed}" for kind in (*NETWORKS, DEEP) for seed in range(RIGHT)]
    return cases + [f"{RIGHT_WORD}: {RANDOM_WORD} {seed}" for seed in range(RANDOM)]


def row(name: str) -> dict[str, object]:
    """What the check says of the library of this case."""
    import onnx

    from b2nn_tvm import compile_model
    from tests.support.networks.injected_faults import faulty, network
    from tests.support.networks.random_graphs import random_graph

    fault, _, rest = name.partition(": ")
    kind, _, seed = rest.rpartition(" ")
    right = random_graph(int(seed)) if kind == RANDOM_WORD else network(kind, int(seed))
    wrong = None if fault == RIGHT_WORD else faulty(kind, fault, int(seed))
    with tempfile.TemporaryDirectory() as folder:
        path, other = Path(folder) / "right.onnx", Path(folder) / "compiled.onnx"
        onnx.save(right, path)
        onnx.save(right if wrong is None else wrong, other)
        with compile_model(other, output=Path(folder) / "library", verify=False) as artifact:
            return _judged(artifact, path, is_right=wrong is None)


def _judged(artifact: Artifact, path: Path, *, is_right: bool) -> dict[str, object]:
    difference = _difference(artifact, path)
    found: dict[str, object] = {"difference": f"{difference:.1e}"}
    verdict, found["reason"] = _verdict(artifact, path)
    same = not is_right and difference <= 1
    words = {True: JUST if is_right else SAME if same else MISSED, False: REFUSED if is_right else JUST}
    found["outcome"] = words.get(verdict, UNDECIDED)  # type: ignore[call-overload]
    for column, (place, factor) in OTHERS.items():
        with _scaled(place, factor):
            found[column] = words.get(_verdict(artifact, path)[0], UNDECIDED)  # type: ignore[call-overload]
    return found


def _verdict(artifact: Artifact, path: Path) -> tuple[bool | None, str]:
    """Whether the check accepts the library, None where it cannot tell, and its words where it does not."""
    from b2nn_tvm.verification.verify_artifact import Mismatch, Undecided, verify_artifact

    try:
        verify_artifact(artifact, path)
    except Mismatch as error:
        return False, str(error)
    except Undecided as error:
        return None, str(error)
    return True, ""


def _difference(artifact: Artifact, path: Path) -> float:
    """The largest difference on twenty inputs, as a multiple of the tolerance."""
    import numpy as np

    from b2nn_tvm.verification.draw_inputs import draw_inputs
    from b2nn_tvm.verification.oracle import Oracle
    from b2nn_tvm.verification.relative_difference import excess

    oracle, rng = Oracle(path), np.random.default_rng(1)
    inputs = [draw_inputs(artifact.inputs, rng) for _ in range(20)]
    return max(excess(artifact.run(each), oracle.run(each), half=oracle.half) for each in inputs)


@contextmanager
def _scaled(place: str, factor: float) -> Iterator[None]:
    """The check with this constant of verification/ties/ multiplied."""
    from importlib import import_module
    from unittest.mock import patch

    module_name, _, constant = place.partition(".")
    module = import_module(f"b2nn_tvm.verification.ties.{module_name}")
    with patch.object(module, constant, getattr(module, constant) * factor):
        yield
