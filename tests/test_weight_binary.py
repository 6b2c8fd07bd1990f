"""Weight-binary layers compiled: the reference's numbers from a bit per weight, and tables that say so."""

import numpy as np
import pytest
import torch

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.costs.counted import bytes_cost
from b2nn_tvm.costs.table import CostTable
from b2nn_tvm.deploy.devices.open_device import open_device
from b2nn_tvm.deploy.latency.profile import profile
from b2nn_tvm.export.export_onnx import export_onnx
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.verification.oracle import Oracle
from b2nn_tvm.verification.relative_difference import relative_difference
from tests.support.networks.onnx_models import model, save
from tests.support.networks.weight_binary_networks import LAYERS, RESNET_PLAN, export_resnet, save_layers


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
    filters = workload.out_channels + 15  # whole vectors
    assert workload.weights / 8 <= row.weight_bytes <= filters * workload.weights / workload.out_channels / 8 + 64
    rules = {
        rewrite.rule: rewrite.reason
        for rewrite in layers.manifest.rewrites
        if rewrite.layer == name and rewrite.applied
    }
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


def test_a_network_of_float_binary_and_weight_binary_layers(tmp_path):
    path = export_resnet(tmp_path)
    with compile_model(path, output=tmp_path / "library") as artifact:  # and verify it against onnxruntime
        rows = {row.name: row for row in artifact.layers}
        assert {name: rows[name].precision for name in RESNET_PLAN} == RESNET_PLAN
        packed = [row.weight_bytes for row in artifact.layers if row.precision == "weight-binary"]
        assert packed == [16 * 3 * 49 // 8, 16 * 16 * 9 // 8, 32 * 32 * 9 // 8]
        sizes = artifact.manifest.sizes
        assert sizes.weight_binary_weights == sum(packed)
        parts = sizes.packed_weights + sizes.weight_binary_weights + sizes.binary_constants + sizes.float_weights
        assert parts + sizes.other_constants == sum(row.size_bytes for row in artifact.layers)


@pytest.mark.parametrize(("form", "pad_value", "groups"), [("function", -1, 2), ("plain", 0, 1)])
def test_two_values_per_filter_are_two_packed_convolutions(tmp_path, form, pad_value, groups):
    torch.manual_seed(0)
    options = {
        "padding": (1, 1, 1, 1),
        "pad_value": pad_value,
        "groups": groups,
        "binarizer": "distribution-aware",
        "input_binary": False,
    }
    conv = BinaryConv2d(20, 18, (3, 3), stride=(2, 1), **options)
    torch.nn.init.normal_(conv.weight, mean=0.3)
    net = torch.nn.Sequential(conv, torch.nn.BatchNorm2d(18)).eval()
    x = torch.randn(1, 20, 9, 8)
    path = export_onnx(net, tmp_path / "m.onnx", input_shape=x.shape, form=form)
    with compile_model(path, output=tmp_path / "library") as artifact, torch.no_grad():
        (found,) = artifact.run({"input": x.numpy()}).values()
        assert {row.name: row.precision for row in artifact.layers if row.op == "conv2d"} == {
            "0": "weight-binary",
            "0.box_sum": "weight-binary",
        }
        np.testing.assert_allclose(found, net(x).numpy(), rtol=1e-4, atol=1e-4)


def test_bits_make_the_library_small(tmp_path):
    """One large layer: of its 2.25 MiB of floats a 32nd is in the file."""
    signs = np.where(np.random.default_rng(0).random((256, 256, 3, 3)) < 0.5, -0.5, 0.5).astype(np.float32)
    built = model("output = Conv <strides = [2, 2]> (input, w)", {"w": signs}, inputs="float[1,256,5,5] input")
    path = save(tmp_path, built)
    with compile_model(path, output=tmp_path / "library", verify=False) as artifact:
        assert artifact.manifest.sizes.weight_binary_weights * 32 == signs.nbytes
        assert artifact.size_bytes < signs.nbytes / 32 + 60_000
        assert artifact.manifest.memory.arena >= signs.nbytes
        x = {"input": np.random.default_rng(1).standard_normal((1, 256, 5, 5)).astype("f4")}
        assert relative_difference(artifact.run(x, threads=2), Oracle(path).run(x)) <= 1e-5


def test_a_cost_table_gets_rows_of_the_layers_but_none_of_the_network(layers, tmp_path):
    """The row of a network says which layers are binary and takes all others for float."""
    with open_device("local") as device:
        profile(layers, device=device, threads=1, costs=tmp_path / "costs.json")
    table = CostTable.load(tmp_path / "costs.json")
    assert {row.layer: row.precision for row in table.layers if row.layer in LAYERS} == dict.fromkeys(
        LAYERS, "weight-binary"
    )
    assert table.networks == ()
