"""Weight-binary layers compiled: the reference's numbers from a bit per weight, and tables that say so."""

import numpy as np
import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.cost import bytes_cost
from b2nn_tvm.verify import Oracle, relative_difference
from tests.weight_binary_networks import LAYERS, RESNET_PLAN, export_resnet, save_layers


@pytest.fixture(scope="module")
def layers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layers")
    with compile_model(save_layers(folder), output=folder / "library", verify=False) as artifact:
        yield artifact


@pytest.fixture(scope="module")
def layer_outputs(layers):
    return layers.run({f"{name}_x": layer.x for name, layer in LAYERS.items()}, threads=2)


@pytest.mark.parametrize("name", LAYERS)
def test_the_library_computes_what_the_reference_does(name, layer_outputs):
    expected = LAYERS[name].expected
    assert layer_outputs[name].shape == expected.shape
    difference = np.abs(layer_outputs[name] - expected).max() / np.abs(expected).max()
    assert difference <= 1e-5


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_takes_a_bit_per_weight(name, layers):
    row = next(row for row in layers.layers if row.name == name)
    workload = LAYERS[name].workload
    assert row.precision == "weight-binary"
    assert "its weights are ±alpha, but its input is not a sign" in row.reason
    lanes = -(-workload.out_channels // 4) * 4
    assert workload.weights / 8 <= row.weight_bytes <= workload.weights // workload.out_channels * max(8, 2 * lanes) / 8 + 64
    rules = {rewrite.rule: rewrite.reason for rewrite in layers.manifest.rewrites if rewrite.layer == name and rewrite.applied}
    assert rules["ClassifyConvs"].startswith("is weight-binary: ")
    assert rules["PackWeights"].startswith(f"its weights are {row.weight_bytes} bytes of bits")
    steps = [step for step in layers.manifest.steps if step.layer == name]
    assert ("unpack weights",) in [step.operations for step in steps]


def test_whole_vectors_of_filters_cost_what_a_budget_in_bytes_counts(layers):
    """Weights, and a scale per output channel."""

    class Eligible:
        name, workload, eligible = "c64", LAYERS["c64"].workload, True

    cost = bytes_cost([Eligible()], total=4 * Eligible.workload.weights)
    (row,) = (row for row in layers.layers if row.name == "c64")
    assert row.weight_bytes * 32 == cost.float_cost["c64"]
    assert row.weight_bytes + 4 * Eligible.workload.out_channels == cost.binary_cost["c64"] <= row.size_bytes


@pytest.mark.parametrize("binarizer", ["xnor", "distribution-aware"])
def test_a_network_of_float_binary_and_weight_binary_layers(tmp_path, binarizer):
    path = export_resnet(tmp_path, binarizer=binarizer)
    with compile_model(path, output=tmp_path / "library") as artifact:  # and verify it against onnxruntime
        rows = {row.name: row for row in artifact.layers}
        assert {name: rows[name].precision for name in RESNET_PLAN} == RESNET_PLAN
        assert rows["stage1.1.conv1"].precision == "float"
        weight_binary = [row for row in artifact.layers if row.precision == "weight-binary"]
        boxes = 3 if binarizer == "distribution-aware" else 0
        assert len(weight_binary) == 3 + boxes
        sizes = artifact.manifest.sizes
        assert sizes.weight_binary_weights == sum(row.weight_bytes for row in weight_binary)
        assert rows["stage1.0.conv1"].weight_bytes * 32 == 4 * 16 * 16 * 9
        parts = sizes.packed_weights + sizes.weight_binary_weights + sizes.binary_constants + sizes.float_weights
        assert parts + sizes.other_constants == sum(row.size_bytes for row in artifact.layers)
        assert artifact.size_bytes == sizes.library


def test_bits_make_the_library_small(tmp_path):
    """One large layer: of its 2.25 MiB of floats a 32nd is in the file."""
    from tests.onnx_models import model, save

    signs = np.where(np.random.default_rng(0).random((256, 256, 3, 3)) < 0.5, -0.5, 0.5).astype(np.float32)
    built = model("output = Conv <strides = [2, 2]> (input, w)", {"w": signs}, inputs="float[1,256,5,5] input")
    path = save(tmp_path, built)
    with compile_model(path, output=tmp_path / "library", verify=False) as artifact:
        assert artifact.manifest.sizes.weight_binary_weights * 32 == signs.nbytes
        assert artifact.size_bytes < signs.nbytes / 32 + 60_000
        assert artifact.manifest.memory.arena >= signs.nbytes
        x = {"input": np.random.default_rng(1).standard_normal((1, 256, 5, 5)).astype("f4")}
        assert relative_difference(artifact.run(x, threads=2), Oracle(path).run(x)) <= 1e-5
