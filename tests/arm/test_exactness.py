"""Binary convolutions compiled for ARM equal reference.py bit for bit on four CPUs, one by one and in chains.

Many independent layers stand in one network, and all chains in another, so that each network is compiled once for 64
bits and once for 32, and runs once on each CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from b2nn_tvm import reference
from b2nn_tvm.compiler import compile_model
from tests.support.networks import binary_networks as networks
from tests.support.networks.onnx_models import save

pytestmark = pytest.mark.emulated

CPUS = {"cortex-a53": "arm", "cortex-a72": "arm", "cortex-a76": "arm", "cortex-a7": "armv7"}
# The kernel sizes and CPUs that `make test` takes: every CPU, and every variant of a layer.
FIRST = [(3, cpu) for cpu in CPUS]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> Callable[..., Path]:
    """The folder of the library of a network, compiled for a target when it is first asked for."""

    @cache
    def folder(make, indices: tuple[int, ...], target: str) -> Path:
        place = tmp_path_factory.mktemp("arm")
        artifact = compile_model(save(place, make(*indices)), target=target, output=place / "net", verify=False)
        convs = [row for row in artifact.layers if row.op == "conv2d"]
        artifact.close()
        count = sum(
            len(networks.layers_of(index) if make is networks.independent else networks.chain(index).layers)
            for index in indices
        )
        assert [row.precision for row in convs] == ["binary"] * count
        return place / "net"

    return folder


def test_the_cases_cover_all_variants():
    layers = [one for kernel in networks.KERNELS for one in networks.layers_of(kernel)]
    assert len(layers) == 99
    for kernel in networks.KERNELS:
        assert {one.workload.in_channels for one in networks.layers_of(kernel)} == set(networks.CHANNELS)
        shapes = [(one.workload, one.pad_value) for one in networks.layers_of(kernel)]
        seen = {(workload.stride[0], workload.dilation[0], pad_value) for workload, pad_value in shapes}
        assert seen == set(networks.VARIANTS)
    assert {one.workload.batch for one in layers} == {1, 3}
    assert {one.workload.out_channels for one in layers} == set(networks.CHANNELS)


@pytest.mark.parametrize(
    ("kernel", "cpu"),
    [
        pytest.param(kernel, cpu, marks=() if (kernel, cpu) in FIRST else pytest.mark.sweep)
        for kernel in networks.KERNELS
        for cpu in CPUS
        if kernel == 3 or cpu != "cortex-a7"
    ],
)
def test_layers_equal_the_reference(run_emulated, compiled, kernel, cpu):
    layers = networks.layers_of(kernel)
    inputs = {f"x{i}": networks.activations(networks.input_shape(one.workload), i) for i, one in enumerate(layers)}
    threads = 3 if cpu == "cortex-a76" else 1
    results = run_emulated(compiled(networks.independent, (kernel,), CPUS[cpu]), inputs, cpu=cpu, threads=threads)
    for i, one in enumerate(layers):
        expected = one.expected(reference.sign(inputs[f"x{i}"], one.threshold))
        where = f"{one.workload.key} padded with {one.pad_value}"
        np.testing.assert_array_equal(results[f"y{i}"], expected, err_msg=where)


CHAINS = tuple(range(len(networks.CHAINS)))
CHAIN_INPUTS = {
    f"x{index}": networks.activations(networks.input_shape(networks.chain(index).layers[0].workload), index)
    for index in CHAINS
}


@pytest.fixture(scope="module")
def results_of_chains() -> dict[str, Mapping[str, np.ndarray]]:
    """What all chains gave on each CPU that was asked before."""
    return {}


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("index", CHAINS, ids=networks.chain_name)
def test_chains_equal_the_reference(run_emulated, compiled, results_of_chains, index, cpu):
    """From the first sign to the last sum everything is bits: batch norm and sign are integer thresholds."""
    if cpu not in results_of_chains:
        folder = compiled(networks.chained, CHAINS, CPUS[cpu])
        results_of_chains[cpu] = run_emulated(folder, CHAIN_INPUTS, cpu=cpu)
    expected = networks.expected_of(networks.chain(index), CHAIN_INPUTS[f"x{index}"])
    np.testing.assert_array_equal(results_of_chains[cpu][f"y{index}"], expected)
    assert np.unique(expected).size > 10
