"""Chains of binary convolutions compiled for this machine's targets equal reference.py bit for bit, run after run."""

import numpy as np
import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.targets.target import NATIVE, get, names
from tests.support.networks import binary_networks as networks
from tests.support.networks.onnx_models import save


@pytest.mark.in_turn("isa", turn=1)
@pytest.mark.parametrize("isa", [name for name in names() if name != NATIVE])
@pytest.mark.parametrize("index", [2, 5], ids=networks.chain_name)
def test_chains_equal_the_reference(index, isa, tmp_path):
    """The second and third input find the borders of packed activations as the first left them."""
    if get(isa).missing:
        pytest.skip(f"{isa} needs {', '.join(get(isa).missing)}")
    path = save(tmp_path, networks.chained(index))
    artifact = compile_model(path, target=isa, output=tmp_path / "net", verify=False)
    shape = networks.input_shape(networks.chain(index).layers[0].workload)
    for seed in range(3):
        x = networks.activations(shape, seed)
        (result,) = artifact.run({f"x{index}": x}).values()
        np.testing.assert_array_equal(result, networks.expected_of(networks.chain(index), x))
    artifact.close()
