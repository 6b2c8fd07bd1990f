import numpy as np
import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.import_onnx import ImportedModel, import_onnx
from b2nn_tvm.passes.canonicalize.classify_convs import classify_convs
from b2nn_tvm.provenance.layer_names import weight_digest
from tests.support.networks.imported import FLOATS, SIGNS, imported, name_nodes, names_by_weights
from tests.support.networks.onnx_models import model, save
from tests.support.passes.relax_functions import random_input, run


def layers(found: ImportedModel) -> tuple[tuple[str, str], ...]:
    """(node name, kind) in graph order."""
    return tuple((layer.name, layer.kind) for layer in found.layers)


def test_names_of_inputs_outputs_and_layers(tmp_path):
    built = model(
        "b = Conv (second, w) a = Conv (second, v, bias) c = Add (a, b) f = Flatten (c) d = Gemm <transB = 1> (f,"
        " dense) e = MatMul (d, matrix) output = Add (e, first)",
        {
            "w": FLOATS,
            "v": 2 * SIGNS,
            "bias": np.ones(3, np.float32),
            "dense": np.ones((5, 3), np.float32),
            "matrix": np.arange(35, dtype=np.float32).reshape(5, 7),
        },
        inputs="float[1,7] first, float[1,4,3,3] second",
        outputs="float[1,7] output",
    )
    found = import_onnx(save(tmp_path, name_nodes(built, "block.0.shortcut", "block.0.conv", "", "", "classifier")))
    assert found.input_names == ("first", "second")
    assert found.output_names == ("output",)
    assert layers(found) == (
        ("block.0.shortcut", "conv2d"),
        ("block.0.conv", "conv2d"),
        ("classifier", "dense"),
        ("MatMul_5", "dense"),
    )
    assert names_by_weights(found) == {
        weight_digest(FLOATS): ["block.0.shortcut"],
        weight_digest(SIGNS): ["block.0.conv"],
        weight_digest(np.ones((5, 3))): ["classifier"],
        weight_digest(np.arange(35).reshape(5, 7).T): ["MatMul_5"],
    }


def test_layers_keep_the_order_of_the_file_and_names_are_unique(tmp_path):
    built = model("b = Conv (input, w) a = Conv (input, w) output = Sub (a, b)", {"w": FLOATS})
    found = import_onnx(save(tmp_path, name_nodes(built, "same", "same")))
    assert names_by_weights(found) == {weight_digest(FLOATS): ["same", "same#2"]}
    assert len(classify_convs(found.module, layers=found.layers)) == 2


def test_a_convolution_of_constants_is_folded_and_has_no_name(tmp_path):
    found = imported(
        tmp_path,
        "k = Conv (image, w) y = Conv (input, v) output = Add (y, k)",
        {"w": FLOATS, "v": SIGNS, "image": random_input()},
    )
    assert layers(found) == (("Conv_1", "conv2d"),)
    assert [c.name for c in classify_convs(found.module, layers=found.layers)] == ["Conv_1"]


def test_names_that_are_no_identifiers(tmp_path, capfd):
    built = model("out = Relu (x)", inputs="float[1,4,6,5] x", outputs="float[1,4,6,5] out")
    built.graph.input[0].name = built.graph.node[0].input[0] = "x.1/a b"
    built.graph.output[0].name = built.graph.node[0].output[0] = "12"
    found = import_onnx(save(tmp_path, built))
    assert (found.input_names, found.output_names) == (("x.1/a b",), ("12",))
    np.testing.assert_array_equal(run(found.module, random_input()), np.maximum(random_input(), 0))
    assert capfd.readouterr() == ("", "")


def test_weights_computed_from_an_input(tmp_path):
    found = imported(tmp_path, "output = Conv (input, weight)", inputs="float[1,4,6,5] input, float[3,4,3,3] weight")
    assert found.layers[0].digest == ""


@pytest.mark.parametrize(("option", "at_zero"), [("+1", 1), ("-1", -1)])
def test_the_option_holds_for_latent_weights_too(option, at_zero, tmp_path):
    latent = np.array([0.5, 0, -2, 0], np.float32).reshape(1, 4, 1, 1)
    options = {"import_options": {"sign_zero": option}}
    found = imported(tmp_path, "w = Sign (latent) output = Conv (input, w)", {"latent": latent}, **options)
    expected = np.array([1, at_zero, -1, at_zero], np.float32).reshape(1, 4, 1, 1)
    assert found.layers[0].digest == weight_digest(expected)


def test_another_sign_at_zero(tmp_path):
    with pytest.raises(InputError, match=r"sign_zero is one of \+1, -1, or not given, not '0'"):
        imported(tmp_path, "s = Sign (input) output = Conv (s, w)", {"w": SIGNS}, import_options={"sign_zero": "0"})


def test_a_1d_convolution_and_a_matmul_with_the_weights_first_have_names(tmp_path):
    nodes = "y = Conv (input, w) output = MatMul (m, y)"
    weight, first = np.arange(24, dtype=np.float32).reshape(2, 4, 3), np.ones((3, 2), np.float32)
    found = imported(
        tmp_path, nodes, {"w": weight, "m": first}, inputs="float[1,4,9] input", outputs="float[N,C,W] output"
    )
    assert [(layer.name, layer.kind, layer.digest) for layer in found.layers] == [
        ("Conv_0", "conv2d", weight_digest(weight[:, :, None])),
        ("MatMul_1", "dense", weight_digest(first)),
    ]
