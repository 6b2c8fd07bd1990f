"""What the rewritten file computes in onnxruntime is what the reference says of a binary convolution."""

import numpy as np
import onnx
import pytest

from b2nn_tvm import compile_model, reference
from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.binarize_onnx import binarize_onnx, latency_note
from b2nn_tvm.frontend.read_onnx import load_model
from b2nn_tvm.plan import Plan, Precision
from b2nn_tvm.reference.two_values import two_values
from b2nn_tvm.verification.oracle import Oracle
from tests.support.networks.float_network import float_network
from tests.support.networks.onnx_models import model, save

BINARY, WEIGHT_BINARY = Precision.BINARY, Precision.WEIGHT_BINARY


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


X = normal(1, 4, 6, 5, seed=1)
X[0, :, 0, 0] = 0  # the sign of 0 is +1
WEIGHT, BIAS = normal(7, 4, 3, 3), normal(7, seed=2)


def plan(precision=BINARY, **conversion):
    return Plan({"c": precision}, conversion=conversion)


def binarized(nodes, constants, chosen, folder, **kwargs):
    """onnxruntime's answer on the rewritten file; its optimiser must not fold scales into weights."""
    built = binarize_onnx(model(nodes, constants, **kwargs), chosen)
    onnx.checker.check_model(built, full_check=True)
    return Oracle(save(folder, built)).run({"input": X})["output"], built


def expected(x, weight, **geometry):
    values = two_values(weight)
    sums = reference.binary_conv2d(reference.sign(x), values.signs.astype(np.int8), **geometry)
    return reference.scale_channels(sums, values.scale)


@pytest.mark.parametrize("opset", [11, 12, 13, 17, 18, 21])
def test_sign_of_the_input_and_plus_minus_alpha_in_every_opset(opset, tmp_path):
    found, built = binarized(
        '["c"] output = Conv (input, w, b)', {"w": WEIGHT, "b": BIAS}, plan(), tmp_path, opset=opset
    )
    np.testing.assert_allclose(found, expected(X, WEIGHT) + BIAS[:, None, None], rtol=1e-6)
    assert {tensor.name for tensor in built.graph.initializer}.isdisjoint({"w", "b"}), "float weights are left out"
    (node,) = (node for node in built.graph.node if node.op_type == "Conv")
    assert node.name == "c"


GEOMETRIES = {
    "pads = [1, 1, 1, 1]": {"padding": (1, 1, 1, 1)},
    "pads = [2, 0, 1, 1], strides = [2, 1]": {"padding": (2, 0, 1, 1), "stride": (2, 1)},
    'auto_pad = "SAME_UPPER", strides = [2, 2]': {"padding": (0, 1, 1, 1), "stride": (2, 2)},
    'auto_pad = "SAME_LOWER", dilations = [2, 1]': {"padding": (2, 1, 2, 1), "dilation": (2, 1)},
    'auto_pad = "VALID"': {},
}


@pytest.mark.parametrize("pad_value", [0, 1, -1])
@pytest.mark.parametrize("attributes", GEOMETRIES)
def test_geometry_and_borders(attributes, pad_value, tmp_path):
    chosen = plan(pad_value=pad_value)
    found, _ = binarized(f'["c"] output = Conv <{attributes}> (input, w)', {"w": WEIGHT}, chosen, tmp_path)
    np.testing.assert_allclose(found, expected(X, WEIGHT, pad_value=pad_value, **GEOMETRIES[attributes]), rtol=1e-6)


def test_two_values_per_filter(tmp_path):
    chosen = plan(binarizer="distribution-aware")
    found, built = binarized('["c"] output = Conv (input, w, b)', {"w": WEIGHT, "b": BIAS}, chosen, tmp_path)
    values = two_values(WEIGHT, "distribution-aware")
    sums, ones = (
        reference.binary_conv2d(reference.sign(X), signs.astype(np.int8))
        for signs in (values.signs, np.ones_like(values.signs[:1]))
    )
    wanted = reference.scale_channels(sums, values.scale) + ones * values.offset[:, None, None] + BIAS[:, None, None]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    assert [node.name for node in built.graph.node if node.op_type == "Conv"] == ["c", "c.box_sum"]


def test_weights_alone(tmp_path):
    found, built = binarized(
        '["c"] output = Conv (input, w)', {"w": WEIGHT}, plan(WEIGHT_BINARY, pad_value=1), tmp_path
    )
    values = two_values(WEIGHT)
    np.testing.assert_allclose(
        found, reference.weight_binary_conv2d(X, values.signs, values.scale), rtol=1e-4, atol=1e-5
    )
    assert not any(node.op_type == "Where" for node in built.graph.node)


def test_a_bias_that_is_computed_at_run_time(tmp_path):
    nodes = """h = GlobalAveragePool (input) k = Squeeze (h) t = Concat <axis = 0> (k, k)
        ["c"] output = Conv (input, w, t)"""
    found, _ = binarized(nodes, {"w": normal(8, 4, 1, 1)}, plan(), tmp_path)
    bias = np.tile(X.mean(axis=(2, 3)).reshape(-1), 2)
    np.testing.assert_allclose(found, expected(X, normal(8, 4, 1, 1)) + bias[:, None, None], rtol=1e-5)


def test_readers_of_one_value_share_its_sign_and_a_relu_in_front_is_left_out(tmp_path):
    nodes = 'r = Relu (input) ["c"] a = Conv (r, w) ["d"] b = Conv (r, v) output = Add (a, b)'
    both = Plan({"c": BINARY, "d": BINARY})
    found, built = binarized(nodes, {"w": WEIGHT, "v": normal(7, 4, 3, 3, seed=5)}, both, tmp_path)
    np.testing.assert_allclose(
        found, expected(X, WEIGHT) + expected(X, normal(7, 4, 3, 3, seed=5)), rtol=1e-5, atol=1e-6
    )
    assert sum(node.op_type == "Where" for node in built.graph.node) == 1
    assert not any(node.op_type == "Relu" for node in built.graph.node)


def test_a_plan_that_was_found_with_relu_keeps_it(tmp_path):
    nodes = 'r = Relu (input) ["c"] output = Conv (r, w)'
    found, _ = binarized(nodes, {"w": WEIGHT}, plan(activation="relu"), tmp_path)
    np.testing.assert_allclose(found, expected(np.ones_like(X), WEIGHT), rtol=1e-6)


def test_a_layer_whose_weights_others_share_keeps_them_for_the_others(tmp_path):
    found, built = binarized(
        '["c"] a = Conv (input, w) ["d"] b = Conv (input, w) output = Sub (a, b)',
        {"w": WEIGHT},
        Plan({"d": BINARY}),
        tmp_path,
    )
    assert "w" in {tensor.name for tensor in built.graph.initializer} and np.abs(found).max() > 0.1


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_a_network_with_odd_names_compiles_to_what_the_reference_says(opset, tmp_path):
    """Weights from a Constant node and through Identity; a grouped convolution between."""
    path = save(tmp_path, float_network(opset=opset))
    chosen = Plan({"block.0": BINARY, "blöck 1.weight": BINARY, "last": BINARY, "grouped": Precision.FLOAT})
    with compile_model(path, output=tmp_path / "net", binarize=chosen) as artifact:
        precisions = {row.name: row.precision for row in artifact.layers if row.workload.startswith("conv2d")}
        assert artifact.manifest.verification.method == "this library"
        assert artifact.manifest.build.note == latency_note(chosen)
        assert (artifact.manifest.build.model, artifact.manifest.build.plan_digest) == ("model.onnx", chosen.digest)
    assert precisions == {
        "/stem/Conv": "float",
        "Conv_3": "binary",
        "odd name": "binary",
        "/up/up.0/conv/Conv": "float",
        "last": "binary",
    }


@pytest.mark.parametrize(("binarizer", "pad_value"), [("xnor", -1), ("distribution-aware", 0)])
def test_groups_of_enough_channels(binarizer, pad_value, tmp_path):
    x, weight = normal(1, 32, 6, 5), normal(6, 16, 3, 3)
    node, inputs = '["c"] output = Conv <group = 2, pads = [1, 1, 1, 1]> (input, w)', "float[1,32,6,5] input"
    grouped = model(node, {"w": weight}, inputs=inputs)
    built = binarize_onnx(grouped, plan(binarizer=binarizer, pad_value=pad_value))
    onnx.checker.check_model(built, full_check=True)
    found = Oracle(save(tmp_path, built)).run({"input": x})["output"]
    values, geometry = two_values(weight, binarizer), {"padding": (1, 1, 1, 1), "groups": 2, "pad_value": pad_value}
    expected = reference.binary_conv2d(reference.sign(x), values.signs, **geometry) * values.scale[:, None, None]
    if values.offset is not None:
        ones = reference.binary_conv2d(reference.sign(x), np.ones_like(values.signs), **geometry)
        expected = expected + ones * values.offset[:, None, None]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_what_cannot_become_binary_is_refused_by_name():
    with pytest.raises(InputError, match=r"up.0.conv \(grouped convolution with fewer than 16"):
        binarize_onnx(float_network(), Plan({"up.0.conv": BINARY}))
    nodes, inputs = '["c"] output = Conv (input, k)', "float[1,4,6,5] input, float[4,4,1,1] k"
    with pytest.raises(InputError, match=r"c \(its weights are computed at run time\)"):
        binarize_onnx(model(nodes, inputs=inputs), plan())


def test_options_that_are_none_are_refused():
    built = model('["c"] output = Conv (input, w)', {"w": WEIGHT})
    with pytest.raises(InputError, match="pads binary layers with 2; expected 0, 1 or -1"):
        binarize_onnx(built, plan(pad_value=2))
    with pytest.raises(InputError, match="there is no binarizer 'sharp'"):
        binarize_onnx(built, plan(binarizer="sharp"))


def test_thresholds_are_said_to_be_left_out():
    assert latency_note(plan()).startswith("for latency only: ")
    assert "learned thresholds need training" in latency_note(plan(learned_threshold=True))
    assert "thresholds" not in latency_note(plan())


@pytest.mark.parametrize(
    "name", ["mobilenet", *(pytest.param(name, marks=pytest.mark.sweep) for name in ("resnet18", "squeezenet"))]
)
def test_a_plan_for_a_torch_network_gives_its_float_export_the_kernels_of_the_converted_network(name, tmp_path):
    """The same layers binary, the same operations fused: so the time is that of the network the search would build."""
    pytest.importorskip("torch", reason="selects layers of a torch network; torch is of the extra train")
    from b2nn_tvm.costs.counted import flops_cost
    from b2nn_tvm.export.export_onnx import export_onnx
    from b2nn_tvm.mixbin.conversion.convert import convert
    from b2nn_tvm.mixbin.network.flops import flops
    from b2nn_tvm.mixbin.network.layers import trace
    from b2nn_tvm.mixbin.selection.select import select
    from tests.support.models.small_networks import small

    network, shape = small(name)
    network.eval()
    layers = trace(network, shape)
    cost = flops_cost(tuple(layers), total=flops(network, (1, *shape)))
    scores = {layer: float(index % 3) for index, layer in enumerate(layers.eligible)}
    chosen = select(scores, cost, (cost.full + cost.minimum()) / 2).binary
    assert 1 < len(chosen) < len(layers.eligible)
    precisions = {row.name: BINARY if row.name in chosen else Precision.FLOAT for row in layers}
    found = Plan(precisions, {row.name: row.workload.key for row in layers}, model=name)
    found.save(tmp_path / "plan.json")
    path = export_onnx(network, tmp_path / "float.onnx", input_shape=shape)
    wanted = export_onnx(convert(network, found), tmp_path / "mixed.onnx", input_shape=shape)
    with (
        compile_model(path, output=tmp_path / "ours", binarize=tmp_path / "plan.json") as ours,
        compile_model(wanted, output=tmp_path / "theirs", verify=False) as theirs,
    ):
        assert tuple(row.name for row in ours.layers if row.precision == "binary") == chosen
        kernels = [
            sorted((step.layer, step.operations) for step in each.manifest.steps if step.layer in precisions)
            for each in (ours, theirs)
        ]
        assert kernels[0] == kernels[1]
        assert len(ours.manifest.steps) == len(theirs.manifest.steps)
        assert ours.manifest.verification.method == "this library"


def test_the_file_is_read_as_compile_reads_it(tmp_path):
    """A file that load_model has read has named nodes, which binarize_onnx finds by the same names."""
    loaded = load_model(save(tmp_path, float_network()))
    found = binarize_onnx(loaded, Plan({"Conv_3": BINARY}))
    assert found == binarize_onnx(float_network(), Plan({"Conv_3": BINARY}))
