import numpy as np
import onnx
import pytest
from tvm.relax.frontend.onnx import onnx_frontend

from b2nn_tvm import reference
from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.frontend.import_onnx import ImportedModel, import_onnx
from b2nn_tvm.passes.canonicalize.canonicalize_binary_convs import canonicalize_binary_convs
from b2nn_tvm.passes.canonicalize.classify_convs import classify_convs
from b2nn_tvm.provenance.layer_names import weight_digest
from b2nn_tvm.relax_query import shape
from tests.support.networks.onnx_models import BINARY_CONV2D, model, onnxruntime_output, save
from tests.support.passes.relax_functions import random_input, random_signs, run

FLOATS = np.random.default_rng(0).standard_normal((3, 4, 3, 3)).astype(np.float32)
SIGNS = random_signs((3, 4, 3, 3))


def imported(tmp_path, *args, import_options=None, **kwargs):
    return import_onnx(save(tmp_path, model(*args, **kwargs)), **(import_options or {}))


def name_nodes(built, *names):
    for node, name in zip(built.graph.node, names):
        node.name = name
    return built


# ---- what an import gives


def layers(found: ImportedModel) -> tuple[tuple[str, str], ...]:
    """(node name, kind) in graph order."""
    return tuple((layer.name, layer.kind) for layer in found.layers)


def names_by_weights(found: ImportedModel) -> dict[str, list[str]]:
    """The names of the layers with the weights of each digest, in graph order."""
    names: dict[str, list[str]] = {}
    for layer in found.layers:
        names.setdefault(layer.digest, []).append(layer.name)
    return names


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


def test_the_importer_is_left_as_it_was(tmp_path):
    before = onnx_frontend._get_convert_map
    imported(tmp_path, "output = Sign (input)")
    with pytest.raises(UnsupportedError):
        imported(tmp_path, "output = Reshape (input, rank)", inputs="float[1,4,6,5] input, int64[2] rank")
    assert onnx_frontend._get_convert_map is before
    assert "BinaryConv2d" not in before()


# ---- shapes


def test_an_open_batch_is_one(tmp_path):
    found = imported(tmp_path, "output = Relu (input)", inputs="float[batch,4,6,5] input")
    assert shape(found.module["main"].params[0]) == (1, 4, 6, 5)


def test_input_shapes_fix_what_is_open(tmp_path):
    options = {"input_shapes": {"input": (2, 4, 8, 9)}}
    found = imported(tmp_path, "output = Relu (input)", inputs="float[n,4,h,w] input", import_options=options)
    assert shape(found.module["main"].params[0]) == (2, 4, 8, 9)


@pytest.mark.parametrize(
    ("inputs", "shapes", "text"),
    [
        ("float[n,3,h,w] image", None, "pass --input-shape image=1x3x224x224"),
        (
            "float[n,3,h,w] image",
            {"image": (1, 4, 8, 8)},
            r"has the shape \[n, 3, h, w\] in the file, but 1,4,8,8 was given",
        ),
        ("float[n,3,h,w] image", {"image": (1, 3, 8)}, "but 1,3,8 was given"),
        ("float[n,3,h,w] image", {"image": (1, 3, 0, 8)}, "but 1,3,0,8 was given"),
        ("float[n,3,h,w] image", {"picture": (1, 3, 8, 8)}, "no input 'picture'; its inputs are image"),
    ],
)
def test_shapes_that_cannot_be(inputs, shapes, text, tmp_path):
    with pytest.raises(InputError, match=text):
        imported(tmp_path, "output = Relu (image)", inputs=inputs, import_options={"input_shapes": shapes})


# ---- files


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        import_onnx(tmp_path / "absent.onnx")


@pytest.mark.parametrize("content", [b"", b"this is text, not a model", bytes(range(256))])
def test_a_file_that_is_no_model(content, tmp_path):
    path = tmp_path / "wrong.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match="expected an ONNX model"):
        import_onnx(path)


def test_external_data(tmp_path):
    path = tmp_path / "model.onnx"
    built = model("output = Conv (input, w)", {"w": FLOATS})
    onnx.save(built, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert import_onnx(path).layers[0].digest == weight_digest(FLOATS)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(InputError, match="stored in another file .*weights.bin.*external_data=False"):
        import_onnx(path)


def test_an_opset_that_is_too_old(tmp_path):
    with pytest.raises(InputError, match=r"expected opset 11 or newer, but the model has opset 9; convert it with"):
        imported(tmp_path, "output = Relu (input)", opset=9)


# ---- operators


def test_unknown_operators_are_named_with_their_nodes(tmp_path, capfd):
    built = model("a = Relu (input) b = b2nn.Mystery (a) c = b2nn.Mystery (b) output = b2nn.Relu2 (c)")
    path = save(tmp_path, name_nodes(built, "", "stage1.odd"))
    with pytest.raises(UnsupportedError, match=r"b2nn::Mystery \(node 'stage1.odd' and 1 more\), b2nn::Relu2 \(node"):
        import_onnx(path)
    assert capfd.readouterr() == ("", "")


def test_a_failing_conversion_names_its_node_and_prints_nothing(tmp_path, capfd):
    built = model(
        "y = Relu (input) output = Resize (y, none, none, sizes)",
        inputs="float[1,4,6,5] input, int64[4] sizes, float[0] none",
    )
    path = save(tmp_path, name_nodes(built, "", "upsample"))
    with pytest.raises(UnsupportedError, match="node 'upsample' "):
        import_onnx(path)
    assert capfd.readouterr() == ("", "")


def test_shapes_that_depend_on_values(tmp_path):
    with pytest.raises(
        UnsupportedError, match=r"node 'NonZero_0' \(NonZero\): the shape of its output depends on values"
    ):
        imported(tmp_path, "output = NonZero (input)", outputs="int64[4,n] output")


def test_functions_in_the_file_are_inlined(tmp_path):
    functions = '<domain: "b2nn", opset_import: ["" : 18]> Twice (x) => (y) { y = Add (x, x) }'
    path = save(tmp_path, model("output = b2nn.Twice (input)", functions=functions))
    np.testing.assert_array_equal(run(import_onnx(path).module, random_input()), 2 * random_input())


def test_batch_norm_in_training_mode(tmp_path):
    ones = np.ones(4, np.float32)
    with pytest.raises(UnsupportedError, match=r"model.eval\(\)"):
        imported(
            tmp_path,
            "output, m, v = BatchNormalization <training_mode = 1> (input, a, a, a, a)",
            {"a": ones},
        )


OPERATORS = {
    "clip": ("a = Clip (input, low) b = Clip (input, , high) c = Add (a, b) output = Clip (c, low, high)", 18),
    "clip without bounds": ("a = Clip (input) output = Add (a, a)", 18),
    "max": ("output = Max (input, vector, low)", 18),
    "min": ("output = Min (input, vector, low)", 18),
    "max of one": ("a = Max (input) output = Relu (a)", 18),
    "sum": ("output = Sum (input, vector, high)", 18),
    "prelu": ("output = PRelu (input, low)", 18),
    "prelu per channel": ("output = PRelu (input, vector)", 18),
    "pad": ("output = Pad (input, pads, high)", 18),
    "pad along axes": ("output = Pad (input, pads2, high, axes)", 18),
    "pad of opset 11": ("output = Pad (input, pads)", 11),
    "negative pad": ("output = Pad (input, crop)", 18),
    "reflected pad": ('output = Pad <mode = "reflect"> (input, pads)', 18),
    "batch norm": ("output = BatchNormalization <epsilon = 0.5> (input, gamma, gamma, mean, gamma)", 18),
    "batch norm of opset 11": ("output = BatchNormalization (input, gamma, gamma, mean, gamma)", 11),
    "batch norm of rows": (
        (
            "f = Flatten <axis = 2> (input) t = Transpose (f) x = Reshape (t, rows) output = BatchNormalization (x,"
            " gamma, mean, mean, gamma)"
        ),
        18,
    ),
    "same lower": ('output = Conv <auto_pad = "SAME_LOWER", strides = [2, 2]> (input, w)', 18),
    "same upper": ('output = Conv <auto_pad = "SAME_UPPER"> (input, w, bias)', 18),
    "valid": ('output = Conv <auto_pad = "VALID"> (input, w)', 18),
    "grouped": ("output = Conv <group = 2, pads = [2, 1, 0, 0]> (input, w2)", 18),
    "one-dimensional": ("x = Reshape (input, line) output = Conv <pads = [1, 1]> (x, w3, bias)", 18),
    "sign": ("output = Sign (input)", 18),
    "constants": (
        (
            "a = Constant <value_float = 0.5> () b = Constant <value_floats = [1.0, 2.0, 3.0, 4.0, 5.0]> () c = Mul"
            " (input, a) output = Add (c, b)"
        ),
        18,
    ),
    "integer constants": ("a = Constant <value_ints = [1, 20, 6]> () output = Reshape (input, a)", 18),
}
CONSTANTS = {
    "low": np.float32(-0.5),
    "high": np.float32(0.75),
    "vector": np.array([-1, 0, 0.5, 1], np.float32).reshape(4, 1, 1),
    "pads": np.array([0, 0, 1, 2, 0, 0, 2, 1]),
    "pads2": np.array([1, 2, 0, 3]),
    "axes": np.array([-1, 2]),
    "crop": np.array([0, 0, -1, 0, 0, 0, -1, 1]),
    "gamma": np.array([1, 2, 3, 0.5], np.float32),
    "mean": np.array([1, -2, 3, 0], np.float32),
    "w": FLOATS,
    "bias": np.array([1, 2, 3], np.float32),
    "w2": FLOATS[:2, :2].copy(),
    "w3": FLOATS[:, :, 0].copy(),
    "line": np.array([1, 4, 30]),
    "rows": np.array([30, 4]),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_compute_what_onnxruntime_computes(name, tmp_path):
    nodes, opset = OPERATORS[name]
    used = {key: value for key, value in CONSTANTS.items() if f" {key})" in nodes or f" {key}," in nodes}
    path = save(tmp_path, model(nodes, used, opset=opset, outputs="float output"))
    x = random_input()
    np.testing.assert_allclose(run(import_onnx(path).module, x), onnxruntime_output(path, x), rtol=1e-5, atol=1e-5)


# ---- Sign


SIGN_NET = "s = Sign (input) output = Conv (s, w)"


def test_sign_is_zero_at_zero_unless_the_option_says_otherwise(tmp_path):
    x = np.zeros((1, 4, 6, 5), np.float32)
    for option, value in ((None, 0), ("+1", 1), ("-1", -1)):
        found = imported(tmp_path, "output = Sign (input)", import_options={"sign_zero": option})
        for mod in (found.module, canonicalize_binary_convs()(found.module)):
            np.testing.assert_array_equal(run(mod, x), np.full_like(x, value))


def test_a_convolution_of_a_ternary_sign_stays_float_and_says_why(tmp_path):
    found = imported(tmp_path, SIGN_NET, {"w": SIGNS})
    (conv,) = classify_convs(canonicalize_binary_convs()(found.module), layers=found.layers)
    assert not conv.binary
    assert "its input comes from Sign, and Sign(0) = 0: pass sign_zero='+1' if" in conv.reason


@pytest.mark.parametrize("option", ["+1", "-1"])
def test_with_the_option_the_convolution_is_binary(option, tmp_path):
    found = imported(tmp_path, SIGN_NET, {"w": SIGNS}, import_options={"sign_zero": option})
    (conv,) = classify_convs(canonicalize_binary_convs()(found.module), layers=found.layers)
    assert conv.binary


@pytest.mark.parametrize(("option", "at_zero"), [("+1", 1), ("-1", -1)])
def test_the_option_holds_for_latent_weights_too(option, at_zero, tmp_path):
    latent = np.array([0.5, 0, -2, 0], np.float32).reshape(1, 4, 1, 1)
    options = {"import_options": {"sign_zero": option}}
    found = imported(tmp_path, "w = Sign (latent) output = Conv (input, w)", {"latent": latent}, **options)
    expected = np.array([1, at_zero, -1, at_zero], np.float32).reshape(1, 4, 1, 1)
    assert found.layers[0].digest == weight_digest(expected)


def test_another_sign_at_zero(tmp_path):
    with pytest.raises(InputError, match=r"sign_zero is one of \+1, -1, or not given, not '0'"):
        imported(tmp_path, SIGN_NET, {"w": SIGNS}, import_options={"sign_zero": "0"})


# ---- BinaryConv2d

PACKED = np.packbits(SIGNS.transpose(0, 2, 3, 1) > 0, axis=-1, bitorder="little")
GOOD = {"w": PACKED, "s": np.ones(3, np.float32), "t": np.zeros(4, np.float32)}


def binary_node(**attributes):
    given = {
        "kernel_shape": [3, 3],
        "strides": [1, 1],
        "pads": [0, 0, 0, 0],
        "pad_value": 0.0,
        "channels": 4,
        **attributes,
    }
    text = ", ".join(f"{key} = {value}" for key, value in given.items() if value is not None)
    return f"output = b2nn.BinaryConv2d <{text}> (input, w, s, t)"


def test_a_binary_convolution_without_function_body_or_thresholds(tmp_path):
    found = imported(tmp_path, binary_node(dilations=None), GOOD)
    (conv,) = classify_convs(found.module, layers=found.layers)
    assert conv.binary and conv.name == "BinaryConv2d_0"
    assert names_by_weights(found) == {weight_digest(SIGNS): ["BinaryConv2d_0"]}
    assert "R.subtract" not in found.module.script()


@pytest.mark.parametrize(
    ("attributes", "constants", "text"),
    [
        ({"kernel_shape": None}, {}, "kernel_shape is 2 integers of at least 1, but None came"),
        ({"strides": [0, 1]}, {}, "strides is 2 integers of at least 1"),
        ({"pads": [1, 1]}, {}, "pads is 4 integers of at least 0"),
        ({"pads": [1, 1, -1, 0]}, {}, "pads is 4 integers of at least 0"),
        ({"pad_value": 0.5}, {}, "pad_value is 0, 1 or -1, not 0.5"),
        ({"channels": None}, {}, "channels is 1 integers of at least 1"),
        ({"channels": 5}, {}, r"x is float32 \[N, 5, H, W\], but float32 \[1, 4, 6, 5\] came"),
        ({"kernel_shape": [3, 5]}, {}, r"weight is uint8 \[O, 3, 5, 1\], but uint8 \[3, 3, 3, 1\] came"),
        ({}, {"w": PACKED.astype(np.int8)}, r"weight is uint8 \[O, 3, 3, 1\], but int8"),
        ({}, {"w": PACKED | 16}, "the unused bits of weight behind its 4 channels are 0"),
        ({}, {"s": np.ones(4, np.float32)}, r"scale is float32 \[3\] and finite, but float32 \[4\] came"),
        ({}, {"t": np.full(4, np.nan, np.float32)}, r"threshold is float32 \[4\] and finite"),
    ],
)
def test_binary_convolutions_that_are_not_as_agreed(attributes, constants, text, tmp_path):
    with pytest.raises(InputError, match=f"node 'BinaryConv2d_0' .*{text}"):
        imported(tmp_path, binary_node(**attributes), {**GOOD, **constants})


def test_a_binary_convolution_with_computed_weights_or_missing_inputs(tmp_path):
    inputs = "float[1,4,6,5] input, uint8[3,3,3,1] w"
    with pytest.raises(InputError, match="its weight is an initializer or a constant"):
        imported(tmp_path, binary_node(), {"s": GOOD["s"], "t": GOOD["t"]}, inputs=inputs)
    with pytest.raises(InputError, match="has the inputs x, weight, scale and threshold, but 3 came"):
        imported(tmp_path, binary_node().replace(", t)", ")"), GOOD)


def test_a_weight_binary_convolution_is_one_of_its_input(tmp_path):
    """Its border has the padding value of the floats, its scale stands behind it; no threshold, no sign."""
    nodes = (
        binary_node(pad_value=-1.0, pads=[1, 0, 2, 1], dilations=[1, 2])
        .replace("BinaryConv2d", "WeightBinaryConv2d")
        .replace(", t)", ")")
    )
    found = imported(tmp_path, nodes, {name: GOOD[name] for name in "ws"})
    (conv,) = classify_convs(found.module, layers=found.layers)
    assert conv.weight_binary and conv.name == "WeightBinaryConv2d_0"
    x = random_input((1, 4, 6, 5))
    geometry = {"padding": (1, 0, 2, 1), "dilation": (1, 2), "pad_value": -1}
    expected = reference.weight_binary_conv2d(x, SIGNS, GOOD["s"], **geometry)
    np.testing.assert_allclose(run(found.module, x), expected, rtol=1e-6)
    with pytest.raises(InputError, match="has the inputs x, weight and scale, but 4 came"):
        imported(tmp_path, nodes.replace(", s)", ", s, t)"), GOOD)


@pytest.mark.parametrize("channels", [1, 3, 31, 32, 33, 63, 64, 65, 128])
def test_any_number_of_channels(channels, tmp_path):
    signs = random_signs((2, channels, 1, 1))
    constants = {
        "w": np.packbits(signs.transpose(0, 2, 3, 1) > 0, axis=-1, bitorder="little"),
        "s": np.ones(2, np.float32),
        "t": np.zeros(channels, np.float32),
    }
    nodes = binary_node(kernel_shape=[1, 1], dilations=[1, 1], channels=channels)
    path = save(tmp_path, model(nodes, constants, inputs=f"float[1,{channels},3,3] input", functions=BINARY_CONV2D))
    x = random_input((1, channels, 3, 3))
    np.testing.assert_array_equal(run(import_onnx(path).module, x), onnxruntime_output(path, x))


@pytest.mark.parametrize("scale", [np.float32(0), np.array([1, -1], np.float32)])
def test_a_bipolar_quantizer_whose_scale_is_not_positive(scale, tmp_path):
    with pytest.raises(UnsupportedError, match="its scale is no positive constant"):
        imported(tmp_path, "output = qonnx.custom_op.general.BipolarQuant (input, s)", {"s": scale})
