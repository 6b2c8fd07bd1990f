"""Layers keep their names through rewriting, lowering and fusion."""

from __future__ import annotations

import numpy as np
import pytest

from b2nn_tvm import reference
from b2nn_tvm.compiler import compile_model
from b2nn_tvm.provenance.conv_class import ConvClass
from b2nn_tvm.provenance.kernel_layers import KernelLayer, KernelLayerIndex
from b2nn_tvm.provenance.layer_names import LayerNamer, NamedLayer, weight_digest
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import Network, binary, binary_constants, constant

RAMP = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
SIGNS = reference.sign(constant("signs", (4, 4, 3, 3))).astype(np.float32)
SIGN = {"zero": np.float32(0), "one": np.float32(1), "minus": np.float32(-1)}
PADDED = "<pads = [1, 1, 1, 1]>"


def index(*names, weight=RAMP, binary=()):
    found = KernelLayerIndex(LayerNamer([NamedLayer(name, "conv2d", weight_digest(weight)) for name in names]))
    found.classify(ConvClass(name, True, "") for name in binary)
    return found


def enter(notes, packed, precision="float", workload="w", weight=RAMP):
    notes.add(packed, weight, op="conv2d", precision=precision, workload=workload)


def test_a_layer_is_found_by_one_of_its_kernels_constants():
    notes = index("conv1")
    packed = np.arange(8, dtype=np.uint32)
    enter(notes, packed)
    assert notes.find([np.zeros(3), np.arange(7, dtype=np.uint32)]) is None
    assert notes.find([np.zeros(3), packed.copy()]) == KernelLayer("conv1", "conv2d", "float", "w", 32)
    assert notes.find([packed]) is None  # each layer has one kernel


def test_a_layer_whose_bits_are_stored_is_found_by_these():
    notes = index("conv1", "conv2")
    packed, bits = np.ones((2, 8), np.float32), np.full(2, 255, np.uint8)
    for workload in ("first", "second"):
        notes.add(packed, RAMP, op="conv2d", precision="weight-binary", workload=workload, bits=bits)
    assert notes.replace_with_bits(np.zeros(8, np.float32)) is None
    assert notes.replace_with_bits(packed) is bits
    assert notes.find([bits]) == KernelLayer("conv1", "conv2d", "weight-binary", "first", 2)
    assert notes.find([bits]) is None  # the second still has its floats
    assert notes.find([packed]).name == "conv2"


def test_shape_and_type_are_part_of_a_constant():
    notes = index("conv1")
    packed = np.zeros((2, 4), np.uint32)
    enter(notes, packed)
    assert notes.find([packed.reshape(4, 2), packed.view(np.int32), packed.astype(np.uint64), packed[:1]]) is None
    assert notes.find([np.asfortranarray(packed)]).name == "conv1"


def test_equal_weights_are_found_in_the_order_in_which_they_were_entered():
    notes = index("conv1", "conv2", "conv3")
    same, other = np.zeros(4), np.ones(4)
    enter(notes, same, workload="first")
    enter(notes, other, workload="second")
    enter(notes, same, workload="third")
    found = [notes.find([constant]) for constant in (same, same, other)]
    assert [(layer.name, layer.workload) for layer in found] == [
        ("conv1", "first"),
        ("conv3", "third"),
        ("conv2", "second"),
    ]


def test_several_constants_of_one_layer():
    notes = index("conv1", "conv2")
    first, second = np.arange(3, dtype=np.uint32), np.arange(4, dtype=np.uint32)
    name = notes.add(first, RAMP, op="conv2d", precision="binary", workload="w")
    notes.add(second, RAMP, op="conv2d", precision="binary", workload="w", name=name)
    assert [notes.find([value]).name for value in (first, second)] == ["conv1", "conv1"]


def test_a_dense_layer_that_is_computed_as_a_convolution_is_dense():
    notes = KernelLayerIndex(LayerNamer([NamedLayer("fc", "dense", weight_digest(RAMP))]))
    enter(notes, RAMP, "binary")
    assert notes.find([RAMP]).op == "dense"


def test_of_equal_weights_the_binary_layer_has_the_binary_name():
    """Binary layers are entered first, wherever they stand in the network."""
    notes = index("float 1", "binary 1", "float 2", "binary 2", binary=("binary 1", "binary 2"))
    entered = [("binary", 0), ("binary", 1), ("float", 2), ("float", 3), ("float", 4)]
    for precision, value in entered:
        enter(notes, np.full(4, value), precision)
    names = [notes.find([np.full(4, value)]).name for _, value in entered]
    assert names == ["binary 1", "binary 2", "float 1", "float 2", "unnamed1"]


# ---- in a compiled library


def layers(folder, network: Network, names):
    """(name, precision, out channels) of the convolutions and dense layers of the library, by name, in order of
    their kernels.
    """
    built = network.build()
    convs = [node for node in built.graph.node if node.op_type in ("Conv", "BinaryConv2d", "Gemm")]
    for node, name in zip(convs, names, strict=True):
        node.name = name
    with compile_model(save(folder, built), output=folder / "library") as artifact:
        return {row.name: row for row in artifact.layers if row.workload}


def sign(x, y):
    return f"{y}p = GreaterOrEqual ({x}, zero) {y} = Where ({y}p, one, minus) "


def norm(x, y):
    return f"{y} = BatchNormalization ({x}, {y}_g, {y}_b, {y}_m, {y}_v) "


def norm_constants(y, channels):
    gamma = constant(f"{y}_g", (channels,))
    gamma[:2] = -1, 1
    return {f"{y}_g": gamma, f"{y}_b": (channels,), f"{y}_m": (channels,), f"{y}_v": np.full(channels, 4, np.float32)}


def test_weight_binary_and_binary_layers_of_equal_weights(tmp_path):
    network = Network(
        f"a = Conv {PADDED} (input, w) " + sign("a", "s") + f"b = Conv {PADDED} (s, w) output = Conv {PADDED} (b, w)",
        {**SIGN, "w": SIGNS},
    )
    rows = layers(tmp_path, network, ("stem", "body", "head"))
    assert {name: row.precision for name, row in rows.items()} == {
        "stem": "weight-binary",
        "body": "binary",
        "head": "weight-binary",
    }
    assert "the input of the network" in rows["stem"].reason and "it comes from" in rows["head"].reason


def test_filters_flipped_by_a_negative_gamma(tmp_path):
    """Twice the same weights, and once their negative: the batch norms in between flip some filters again."""
    network = Network(
        sign("input", "s")
        + f"a = Conv {PADDED} (s, w) "
        + norm("a", "n")
        + sign("n", "t")
        + f"b = Conv {PADDED} (t, v) "
        + norm("b", "o")
        + sign("o", "u")
        + f"c = Conv {PADDED} (u, w) "
        + norm("c", "q")
        + sign("q", "r")
        + "output = Conv (r, x)",
        {
            **SIGN,
            "w": SIGNS,
            "v": reference.sign(constant("v", (4, 4, 3, 3))).astype(np.float32),
            "x": (5, 4, 1, 1),
            **norm_constants("n", 4),
            **norm_constants("o", 4),
            **norm_constants("q", 4),
        },
    )
    rows = layers(tmp_path, network, ("first", "second", "third", "head"))
    assert {name: row.precision for name, row in rows.items()} == {
        "first": "binary",
        "second": "binary",
        "third": "binary",
        "head": "float",
    }
    assert list(rows) == ["first", "second", "third", "head"]


def test_batch_norm_folded_into_the_weights_by_an_exporter(tmp_path):
    """Weights of one magnitude per filter, some of them 0 or negative; a bias stands for the rest of the batch norm."""
    gamma = np.array([0.5, -0.25, 0, 2], np.float32).reshape(4, 1, 1, 1)
    network = Network(
        sign("input", "s")
        + f"a = Conv {PADDED} (s, w, c) "
        + sign("a", "t")
        + f"b = Conv {PADDED} (t, v, c) output = Conv (b, x)",
        {**SIGN, "w": SIGNS * gamma, "c": (4,), "v": -SIGNS[::-1] * gamma, "x": (5, 4, 1, 1)},
    )
    rows = layers(tmp_path, network, ("first", "second", "head"))
    assert {name: row.precision for name, row in rows.items()} == {
        "first": "binary",
        "second": "binary",
        "head": "float",
    }


def test_equal_weights_are_stored_once_and_keep_two_rows(tmp_path):
    network = Network("a = Conv (input, w) b = Relu (a) output = Conv (b, w)", {"w": (4, 4, 3, 3)})
    rows = layers(tmp_path, network, ("first", "second"))
    assert [(row.name, "_h9_w7_" in row.workload) for row in rows.values()] == [("first", True), ("second", False)]
    assert rows["first"].size_bytes >= 4 * SIGNS.size and rows["second"].size_bytes == 0


def test_one_layer_on_two_inputs(tmp_path):
    """As in a siamese network: the row that says the larger image has the larger image's name."""
    network = Network(
        "a = Conv (input, w) b = Conv (other, w) c = GlobalAveragePool (b) d = Sigmoid (c) output = Mul (d, a)",
        {"w": (6, 4, 3, 3)},
        inputs="float[1,4,9,7] input, float[1,4,7,5] other",
    )
    rows = layers(tmp_path, network, ("large", "small"))
    assert "_h9_w7_" in rows["large"].workload and "_h7_w5_" in rows["small"].workload


def test_grouped_and_depthwise_and_dense_layers(tmp_path):
    network = Network(
        "a = Conv <group = 2> (input, w) b = Conv <group = 6> (a, v) c = Conv <group = 6> (b, x) d = Flatten (c) e ="
        " Gemm (d, y) output = Gemm <transB = 1> (e, z)",
        {"w": (6, 2, 3, 3), "v": (6, 1, 3, 3), "x": (12, 1, 1, 1), "y": (180, 7), "z": (3, 7)},
        outputs="float[N,C] output",
    )
    names = ("grouped", "depthwise", "multiplied", "wide", "classes")
    rows = layers(tmp_path, network, names)
    assert tuple(rows) == names
    assert [row.op for row in rows.values()] == ["conv2d"] * 3 + ["dense"] * 2
    assert [row.workload.rpartition("_")[2] for row in rows.values()] == ["g2", "g6", "g6", "o7", "o3"]


@pytest.mark.parametrize("threshold", [False, True])
def test_a_binary_dense_layer(tmp_path, threshold):
    source = "Sub (rows, t)" if threshold else "Identity (rows)"
    network = Network(
        f"rows = Flatten (input) x = {source} " + sign("x", "s") + "a = Gemm (s, w) output = Gemm (a, v)",
        {**SIGN, "t": (1, 252), "w": reference.sign(constant("w", (252, 9))) * np.float32(0.5), "v": (9, 4)},
        outputs="float[N,C] output",
    )
    rows = layers(tmp_path, network, ("wide", "classes"))
    assert {name: row.precision for name, row in rows.items()} == {"wide": "binary", "classes": "float"}


def test_the_packing_of_a_layers_input_counts_for_it(tmp_path):
    """Rows that are not the network's layers have the operator's name and a number, and own none of its constants."""
    network = Network(
        binary("input", "a", "u", 4)
        + "b = MaxPool <kernel_shape = [5, 5]> (a) output = Conv <pads = [1, 1, 1, 1]> (b, w)",
        {**binary_constants("u", 16, 4), "w": (5, 16, 3, 3)},
    )
    built = network.build()
    built.graph.node[0].name, built.graph.node[2].name = "first", "second"
    with compile_model(save(tmp_path, built), output=tmp_path / "library") as artifact:
        steps = {}
        for step in artifact.manifest.steps:
            steps.setdefault(step.layer, []).extend(step.operations)
        assert "pack for first" in steps["first"]
        assert "pad" in steps["second"]
        others = {row.name: row for row in artifact.layers if row.name not in ("first", "second")}
        assert all("#" in name and row.size_bytes == 0 and not row.workload for name, row in others.items())
        assert any(name.startswith("max_pool2d#") for name in others)
