"""Compile a traced network for an instruction set, run it, and compare every output with reference.py, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.targets.target import get
from tests.support.exactness.tracer import Tracer
from tests.support.networks.onnx_models import save

INSTRUCTION_SETS = ("x86", "x86-avx512", "x86-vpopcntdq")
RUNS = ((0, 1), (1, 3))  # seed of the inputs, threads: the second run finds the borders as the first left them


def instruction_set(turn: int) -> str:
    """One of those that this machine runs: they take turns. Skips the test where it runs none."""
    here = [isa for isa in INSTRUCTION_SETS if not get(isa).missing]
    if not here:
        pytest.skip(f"{INSTRUCTION_SETS[0]} needs {', '.join(get(INSTRUCTION_SETS[0]).missing)}")
    return here[turn % len(here)]


def check(network: Callable[[int], Tracer], isa: str, folder: Path) -> None:
    """``network(seed)`` compiled for ``isa`` gives what it should, and all its layers are binary."""
    missing = get(isa).missing
    if missing:
        pytest.skip(f"{isa} needs {', '.join(missing)}")
    with compile_model(save(folder, network(0).model()), target=isa, output=folder / "net", verify=False) as artifact:
        assert {row.precision for row in artifact.layers if row.op in ("conv2d", "dense")} == {"binary"}
        for seed, threads in RUNS:
            traced = network(seed)
            results = artifact.run(traced.inputs, threads=threads)
            wrong = [label for name, label in traced.labels.items() if not _equal(results[name], traced.expected[name])]
            assert not wrong, f"{len(wrong)} of {len(traced.labels)} outputs differ: {'; '.join(wrong[:8])}"


def _equal(result: np.ndarray, expected: np.ndarray) -> bool:
    return result.dtype == expected.dtype and np.array_equal(result, expected, equal_nan=True)
