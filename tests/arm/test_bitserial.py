"""Layers of a few bits compiled for ARM equal reference/bitserial.py in every whole number, under the emulator."""

import pytest

from b2nn_tvm.compiler import compile_model
from tests.support.networks.bitserial_networks import assert_exact, bitserial_model, drawn_cases
from tests.support.networks.onnx_models import save

pytestmark = pytest.mark.emulated

CPUS = {"arm": ("cortex-a53", "cortex-a72", "cortex-a76"), "armv7": ("cortex-a7",)}
SEEDS = range(11, 13)
COUNT = 6


@pytest.mark.sweep
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("target", CPUS)
def test_equals_the_reference(run_emulated, tmp_path, target, seed):
    cases = drawn_cases(seed, COUNT)
    compile_model(save(tmp_path, bitserial_model(cases)), target=target, output=tmp_path / "net", verify=False).close()
    for cpu in CPUS[target]:
        results = run_emulated(tmp_path / "net", {f"x{i}": case.x for i, case in enumerate(cases)}, cpu=cpu)
        assert_exact(cases, results)
