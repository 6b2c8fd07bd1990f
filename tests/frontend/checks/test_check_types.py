from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.checks.check_types import check_types
from b2nn_tvm.frontend.fold_constants import fold_constants
from tests.support.networks.onnx_models import model

SHAPES = {"input": (1, 4, 6, 5)}


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ("b = Cast <to = 16> (input) output = Cast <to = 1> (b)", "'b' of node .* is of type bfloat16"),
        ("b = Cast <to = 17> (input) output = Cast <to = 1> (b)", "'b' of node .* is of type float8e4m3fn"),
        ("b = Cast <to = 22> (input) output = Cast <to = 1> (b)", "'b' of node .* is of type int4"),
        ("b = Cast <to = 8> (input) output = Cast <to = 1> (b)", "'b' of node .* is of type string"),
        (
            "s = SplitToSequence (input) output = ConcatFromSequence <axis = 0> (s)",
            "'s' of node .* no tensor but a seq",
        ),
        ("o = Optional (input) output = OptionalGetElement (o)", "'o' of node .* is no tensor but an optional"),
    ],
)
def test_types_without_kernels(nodes, text):
    with pytest.raises(UnsupportedError, match=f"the value {text}.*float32, float64, float16, bool and integers"):
        check_types(model(nodes, opset=21))


def test_complex_numbers():
    built = model("output = Identity (input)", inputs="complex64[2] input", outputs="complex64[2] output")
    with pytest.raises(UnsupportedError, match="the value 'input' is of type complex64"):
        check_types(built)


@pytest.mark.parametrize("word", ["float", "double", "float16", "bool", "int8", "int64", "uint8", "uint16"])
def test_types_with_kernels(word):
    check_types(model("output = Identity (input)", inputs=f"{word}[2] input", outputs=f"{word}[2] output"))


@pytest.mark.parametrize("kind", [TensorProto.BFLOAT16, TensorProto.INT4, TensorProto.FLOAT8E5M2])
def test_what_is_computed_from_constants_may_have_any_type(kind):
    built = model("w = Cast <to = 1> (small) output = Mul (input, w)", opset=21)
    built.graph.initializer.append(helper.make_tensor("small", kind, [4, 1, 1], [1, 2, 0, 1]))
    folded = fold_constants(built, SHAPES)
    check_types(folded)
    (weights,) = folded.graph.initializer
    np.testing.assert_array_equal(np.frombuffer(weights.raw_data, np.float32), [1, 2, 0, 1])
