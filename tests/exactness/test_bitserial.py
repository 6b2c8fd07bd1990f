"""Layers of a few bits, compiled, equal reference/bitserial.py in every whole number, whatever wrote the quantizer."""

import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.targets.target import get
from tests.support.exactness.check import INSTRUCTION_SETS
from tests.support.networks.bitserial_networks import MOVES, QUANTIZERS, assert_exact, bitserial_model, drawn_cases
from tests.support.networks.onnx_models import save

COUNT = 10
SEEDS = range(1, 7)


def assert_compiled_cases_are_exact(isa, seed, count, tmp_path):
    if missing := get(isa).missing:
        pytest.skip(f"{isa} needs {', '.join(missing)}")
    cases = drawn_cases(seed, count)
    path = save(tmp_path, bitserial_model(cases))
    with compile_model(path, target=isa, output=tmp_path / "net", verify=False) as artifact:
        found = [row.precision for row in artifact.layers if row.op in ("conv2d", "dense")]
        results = artifact.run({f"x{i}": case.x for i, case in enumerate(cases)})
    assert found == [case.precision for case in cases]
    assert_exact(cases, results)


@pytest.mark.in_turn("isa", turn=1)
@pytest.mark.parametrize("isa", INSTRUCTION_SETS)
def test_equals_the_reference(isa, tmp_path):
    assert_compiled_cases_are_exact(isa, 160, 1, tmp_path)


@pytest.mark.sweep
@pytest.mark.parametrize("seed", SEEDS)
def test_many_cases_equal_the_reference(seed, tmp_path):
    """The instruction sets take turns over the seeds."""
    assert_compiled_cases_are_exact(INSTRUCTION_SETS[seed % len(INSTRUCTION_SETS)], seed, COUNT, tmp_path)


def test_the_cases_are_of_all_kinds():
    cases = [case for seed in SEEDS for case in drawn_cases(seed, COUNT)]
    assert {case.name.split()[0] for case in cases} >= {name.split()[0] for name in QUANTIZERS}
    assert {case.precision for case in cases} >= {"w1a2", "w2a2", "w1a3", "w2a3", "w3a2", "w1a4", "w2a4", "w4a2"}
    assert {move for case in cases for move in MOVES if case.name.endswith(move)} == set(MOVES)
    assert {case.name.split(" w")[0].split()[-1] for case in cases} == {"conv", "dense"}
