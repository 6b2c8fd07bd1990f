"""Attributes that became inputs: the file computes what onnxruntime computes from it as it was."""

from __future__ import annotations

import pytest

from b2nn_tvm.frontend.versions.convert_opset import convert_opset
from tests.support.networks.onnx_models import model
from tests.support.networks.same_results import assert_same, image

# (nodes, the first and the last opset in which they have this form)
FORMS = (
    ("output = Slice <starts = [1, -4], ends = [3, 99], axes = [1, 2]> (input)", 7, 9),
    ("output = Slice <starts = [0, 1], ends = [1, 3]> (input)", 7, 9),
    ("output = Clip <min = -0.5, max = 0.25> (input)", 7, 10),
    ("output = Clip <max = 0.25> (input)", 7, 10),
    ("output = Clip <min = 0.0> (input)", 7, 10),
    ("output = Pad <pads = [0, 0, 1, 2, 0, 0, 3, 0], value = 2.5> (input)", 7, 10),
    ('output = Pad <pads = [0, 0, 1, 2, 0, 0, 3, 0], mode = "reflect"> (input)', 7, 10),
    ("output = Dropout <ratio = 0.3> (input)", 7, 11),
    ("output = Dropout (input)", 7, 13),
    ("u = Unsqueeze <axes = [0, 3]> (input) output = Squeeze <axes = [0, 3]> (u)", 7, 12),
    ("output = ReduceSum <axes = [1, 3], keepdims = 0> (input)", 7, 12),
    ("output = ReduceMean <axes = [2, 3]> (input)", 7, 17),
    ("output = ReduceMax (input)", 7, 17),
    ("output = ReduceLogSumExp <axes = [1]> (input)", 7, 17),
    ("a, b = Split <axis = 1, split = [1, 3]> (input) output = Concat <axis = 1> (b, a)", 7, 12),
    ("a, b = Split <axis = 1> (input) output = Concat <axis = 1> (b, a)", 7, 12),
    ("output, indices = TopK <axis = 2, k = 2> (input)", 7, 9),
    ("output = MaxPool <kernel_shape = [3, 2], strides = [2, 1], pads = [1, 0, 1, 1]> (input)", 7, 17),
    ("output = AveragePool <kernel_shape = [3, 2], pads = [1, 0, 1, 1], count_include_pad = 1> (input)", 7, 17),
    ("output = Cast <to = 7> (input)", 7, 17),
)


@pytest.mark.parametrize(
    ("nodes", "opset"),
    [
        (nodes, opset)
        for nodes, first, last in FORMS
        for opset in (7, 8, 9, 10, 11, 12, 13, 17)
        if first <= opset <= last
    ],
)
def test_operators_of_old_opsets(nodes, opset):
    outputs = "int64[N,C,H,W] output" if "Cast" in nodes else "float output"
    before = model(nodes, opset=opset, outputs=outputs)
    assert_same(before, convert_opset, image())


def test_bounds_have_the_type_of_what_they_bound():
    nodes = "half = Cast <to = 10> (input) c = Clip <min = -0.5> (half) output = Cast <to = 1> (c)"
    assert_same(
        model(nodes, opset=10), convert_opset, image(), tolerance=1e-3
    )  # onnxruntime leaves out roundings to float16
