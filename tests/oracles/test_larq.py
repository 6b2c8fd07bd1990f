"""The definition in reference.py against a third engine: Larq Compute Engine, by both of its optimised kernels.

It takes any number of channels, its sign of 0 is +1 and it pads with 0 or +1, as TensorFlow's "SAME" does. Its results
are float32, dot * scale + bias, or bits by an integer threshold.
"""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm import reference
from benchmarks.larq_peer import larq_python
from tests.support.oracles.cases import Case, cases

WORKER = Path(__file__).parents[1] / "support" / "oracles" / "larq_worker.py"
KERNELS = ("optimized", "indirect")
CHANNELS = {
    1: 1,
    3: 1,
    8: 1,
    31: 1,
    32: 1,
    33: 1,
    64: 1,
    65: 1,
    128: 1,
    3072: 5,
}  # and every how many-th case is asked about
NOTHING = np.zeros(0, np.int32)


@pytest.fixture(scope="module")
def python() -> str:
    """The interpreter that has Larq Compute Engine."""
    try:
        found = larq_python()
    except ModuleNotFoundError as error:
        pytest.skip(f"Larq Compute Engine: {error}")
    probe = (
        "import sys, importlib.util; sys.exit(not all(map(importlib.util.find_spec, ('larq_compute_engine',"
        " 'flatbuffers', 'numpy'))))"
    )
    if subprocess.run([found, "-c", probe], check=False).returncode:
        pytest.skip(f"Larq Compute Engine: {found} does not have it; `make larq-oracle`")
    return found


@pytest.mark.sweep
def test_the_definition_agrees_with_larq(python, tmp_path):
    asked, expected = {}, {}
    for channels, step in CHANNELS.items():
        for index, case in itertools.islice(enumerate(cases(channels, (0, 1), zeros=True, same=True)), 0, None, step):
            for output in ("float", "bits"):
                if output == "bits" and case.pad_value == 0 and any(case.workload.padding):
                    continue  # it refuses: only zero-padded floats are exact there
                name = f"{index} {case.name} {output}"
                values, expected[name] = QUESTIONS[output](case, np.random.default_rng([channels, index]))
                asked |= {f"{name}/{field}": value for field, value in values.items()}
    np.savez(tmp_path / "cases.npz", **asked)
    done = subprocess.run(
        [python, WORKER, tmp_path / "cases.npz", tmp_path / "outputs.npz"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "outputs.npz") as outputs:
        assert len(outputs.files) == len(KERNELS) * len(expected) > 2000
        for name, value in expected.items():
            for kernel in KERNELS:
                result = outputs[f"{name}/{kernel}"].transpose(0, 3, 1, 2)
                np.testing.assert_array_equal(result, value, err_msg=f"{name}, {kernel} kernel")


def scaled(case: Case, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Scale and bias are exact in float32, in any order."""
    scale = rng.choice(np.array([1, 0.5, -2, 0.25, -1], np.float32), case.weight.shape[0])
    bias = rng.choice(np.array([0, 0.5, -3], np.float32), case.weight.shape[0])
    expected = case.expected() * scale[:, None, None] + bias[:, None, None]
    return question(case) | {"scale": scale, "bias": bias, "threshold": NOTHING}, expected


def thresholded(case: Case, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A dot product of n bits is at least t where at most (n - t) / 2 of them differ."""
    threshold = rng.integers(-5, 6, case.weight.shape[0]).astype(np.int32)
    most = (case.weight[0].size - threshold) // 2
    expected = reference.threshold_channels(case.expected(), threshold, np.zeros(len(threshold), bool))
    return question(case) | {"scale": NOTHING, "bias": NOTHING, "threshold": most.astype(np.int32)}, expected


def question(case: Case) -> dict[str, np.ndarray]:
    w = case.workload
    return {
        "x": np.ascontiguousarray(case.x.transpose(0, 2, 3, 1)),
        "weight": case.weight,
        "stride": np.array(w.stride),
        "dilation": np.array(w.dilation),
        "same": np.array(case.pad_value != 0 or any(w.padding)),
        "pad_value": np.array(case.pad_value),
    }


QUESTIONS = {"float": scaled, "bits": thresholded}
