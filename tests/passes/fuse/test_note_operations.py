"""The words for what was fused: from the names of TVM's functions and from what their operands are."""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax
from tvm.relax import op

from b2nn_tvm.kernel_attrs import NOTED_OPERATIONS, NOTED_ROLES
from b2nn_tvm.passes.fuse.note_operations import NoteOperations
from tests.support.networks.onnx_networks import Network, binary, binary_constants
from tests.support.passes.compile_context import context
from tests.support.passes.operations import operations
from tests.support.passes.relax_functions import const, module, random_input, run


def grouped(body):
    """As FuseOps leaves it: groups are Relax functions, and what is alone is a function of loops."""
    transform = relax.transform
    passes = [transform.LegalizeOps(), transform.AnnotateTIROpPattern(), transform.FuseOps()]
    return tvm.transform.Sequential(passes)(module(body))


def test_the_words_of_groups_and_single_functions_are_noted_in_the_module():
    """The sum over the image ends the first group, and the softmax is alone."""
    before = grouped(lambda x: op.nn.softmax(op.mean(op.nn.relu(op.multiply(x, const(np.ones((1, 4, 1, 1))))), [2, 3])))
    after = NoteOperations(context())(before)
    noted = {name: tuple(words) for name, words in after.attrs[NOTED_OPERATIONS].items()}
    assert noted == {"fused_multiply_relu": ("scale", "relu"), "mean": ("mean",), "softmax": ("softmax",)}
    assert dict(after.attrs[NOTED_ROLES]) == {}  # none of them is a kernel of this project
    tvm.ir.assert_structural_equal(after.without_attr(NOTED_OPERATIONS).without_attr(NOTED_ROLES), before)


def test_where_nothing_is_called_nothing_is_noted():
    before = grouped(lambda x: x)
    expected = before.with_attr(NOTED_OPERATIONS, {}).with_attr(NOTED_ROLES, {})
    tvm.ir.assert_structural_equal(NoteOperations(context())(before), expected)


def test_the_numbers_are_the_same():
    before, x = grouped(lambda x: op.nn.relu(op.add(x, x))), random_input()
    fuse = relax.transform.FuseTIR()
    np.testing.assert_array_equal(run(fuse(NoteOperations(context())(before)), x), run(fuse(before), x))


def test_every_function_says_what_it_does(tmp_path):
    network = Network(
        "a = Conv <pads = [1, 1, 1, 1]> (input, w, h)"
        + binary("a", "b", "u", 32)
        + "c = BatchNormalization (b, g, h, h, v) d = Add (c, a) e = Relu (d) f = MaxPool <kernel_shape = [2, 2]> (e) "
        + "m = GlobalAveragePool (f) n = Flatten (m) output = Gemm (n, x, y)",
        {
            "w": (32, 4, 3, 3),
            **binary_constants("u", 32, 32),
            "g": (32,),
            "h": (32,),
            "v": np.ones(32, np.float32),
            "x": (32, 5),
            "y": (5,),
        },
        outputs="float[N,C] output",
    )
    assert operations(tmp_path, network) == [
        ("layout change", "pad"),
        ("conv2d", "shift", "pack"),
        ("binary conv2d", "scale", "shift", "residual add", "relu"),
        ("max_pool2d",),
        ("mean",),
        ("reshape",),
        ("dense", "shift"),
    ]


def test_scale_and_shift_are_told_from_products_and_sums_of_tensors(tmp_path):
    network = Network(
        "a = Mul (input, two) b = Sigmoid (a) c = Mul (a, b) d = Sub (c, k) e = Add (d, a) output = Sub (e, b)",
        {"two": np.float32(2), "k": (4, 1, 1)},
    )
    (fused,) = operations(tmp_path, network)
    assert [word for word in fused if word != "sigmoid"] == ["scale", "multiply", "shift", "residual add", "subtract"]
