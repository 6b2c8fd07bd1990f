"""The static shapes of inputs: what the file says, what the user gives, and where both contradict."""

from __future__ import annotations

import pytest
from onnx import TensorProto

from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.frontend.import_onnx import import_onnx
from b2nn_tvm.frontend.static_shapes import input_shapes
from b2nn_tvm.relax_query import shape
from tests.support.networks.imported import imported
from tests.support.networks.onnx_models import model, save


def test_an_open_batch_is_one(tmp_path):
    found = imported(tmp_path, "output = Relu (input)", inputs="float[batch,4,6,5] input")
    assert shape(found.module["main"].params[0]) == (1, 4, 6, 5)


def test_input_shapes_fix_what_is_open(tmp_path):
    options = {"input_shapes": {"input": (2, 4, 8, 9)}}
    found = imported(tmp_path, "output = Relu (input)", inputs="float[n,4,h,w] input", import_options=options)
    assert shape(found.module["main"].params[0]) == (2, 4, 8, 9)


def test_a_shape_without_a_name_is_that_of_the_only_input(tmp_path):
    options = {"input_shapes": {"": (2, 4, 8, 9)}}
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
        (
            "float[n,3,h,w] image, float[n,3,h,w] mask",
            {"": (1, 3, 8, 8)},
            "1x3x8x8 was given without a name, but .* 2 inputs: image, mask; .* --input-shape image=1x3x8x8",
        ),
        ("float[n,3,h,w] image", {"": (1, 3, 8, 8), "image": (1, 3, 8, 9)}, "two shapes, 1,3,8,9 and 1,3,8,8"),
        ("float[n,3,h,w] image", {"image": (1, 3, 2**16, 2**16)}, "has the shape 1x3x65536x65536, which is more than"),
        ("float[1,3,8,-7] image", None, "input 'image' has a dimension of -7 in the file"),
        ("float[1,3,-1,8] image", None, "pass --input-shape image=1x3x224x8"),
    ],
)
def test_shapes_that_cannot_be(inputs, shapes, text, tmp_path):
    with pytest.raises(InputError, match=text):
        imported(tmp_path, "output = Relu (image)", inputs=inputs, import_options={"input_shapes": shapes})


PAIR = "float[N, 3] a, float[N, K] b"


@pytest.mark.parametrize(
    ("given", "shapes"),
    [
        ({"a": (4, 3), "b": (4, 2)}, {"a": (4, 3), "b": (4, 2)}),
        ({"b": (4, 2)}, {"a": (4, 3), "b": (4, 2)}),
    ],
)
def test_dimensions_of_one_name_have_one_size(given, shapes):
    assert input_shapes(model("output = Add (a, b)", inputs=PAIR), given) == shapes


def test_a_size_given_for_one_input_may_be_all_that_another_lacks():
    built = model("output = Add (a, b)", inputs="float[N, 3, H, W] a, float[N, 1, H, W] b")
    assert input_shapes(built, {"a": (2, 3, 8, 9)})["b"] == (2, 1, 8, 9)


def test_an_open_batch_is_one_wherever_its_name_stands():
    built = model("output = MatMul (b, a)", inputs="float[N, 3] a, float[3, N] b")
    assert input_shapes(built, None) == {"a": (1, 3), "b": (3, 1)}


@pytest.mark.parametrize(
    ("inputs", "given", "text"),
    [
        (PAIR, {"a": (4, 3), "b": (2, 2)}, "'N' .* 4 in input 'a' and 2 in input 'b'"),
        ("float[N, N] a", {"a": (4, 3)}, "'N' .* 4 and 3 in input 'a'"),
    ],
)
def test_one_name_with_two_sizes(inputs, given, text):
    with pytest.raises(InputError, match=f"the dimension {text}; give it the same size everywhere"):
        input_shapes(model("output = Relu (a)", inputs=inputs), given)


@pytest.mark.parametrize("kind", [TensorProto.STRING, TensorProto.BFLOAT16, TensorProto.INT4, 0, 99])
def test_types_of_inputs_that_are_none(kind, tmp_path):
    built = model("output = Relu (input)")
    built.graph.input[0].type.tensor_type.elem_type = kind
    with pytest.raises(UnsupportedError, match="input 'input' has the type .*; expected float, bool or integers"):
        import_onnx(save(tmp_path, built))
