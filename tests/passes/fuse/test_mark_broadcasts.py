"""Functions that spread a computed tensor over a larger result are no epilogues."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from tvm import relax

from b2nn_tvm.passes.fuse.mark_broadcasts import MarkBroadcasts
from b2nn_tvm.relax_query import calls
from tests.support.networks.onnx_networks import NETWORKS
from tests.support.passes.compile_context import context
from tests.support.passes.operations import operations
from tests.support.passes.relax_functions import const, module, random_input, run

ELEMENTWISE, BROADCAST, CONVOLUTION = 0, 1, 4
FACTORS = random_input((1, 1, 1, 64))


def annotated(body, *shapes):
    passes = [relax.transform.LegalizeOps(), relax.transform.AnnotateTIROpPattern()]
    return tvm.transform.Sequential(passes)(module(body, *shapes))


def patterns(mod):
    return [int(mod[call.args[0]].attrs["op_pattern"]) for _, call in calls(mod["main"])]


def spread(x):
    return relax.op.multiply(x, const(FACTORS))


def test_a_value_spread_over_a_constant_is_marked():
    before = annotated(spread, (1, 1, 1, 1))
    assert patterns(before) == [ELEMENTWISE]  # what TVM says
    (function,) = [name for name in before.get_global_vars() if name.name_hint != "main"]
    functions = {**dict(before.functions_items()), function: before[function].with_attr("op_pattern", BROADCAST)}
    tvm.ir.assert_structural_equal(MarkBroadcasts(context())(before), tvm.IRModule(functions, attrs=before.attrs))


@pytest.mark.parametrize(
    ("body", "shapes"),
    [
        (spread, [(1, 4, 3, 64)]),
        (lambda x: relax.op.add(x, const(2.0)), [(1, 1, 1, 1)]),
        (relax.op.multiply, [(1, 4, 3, 64), (1, 1, 1, 64)]),
    ],
    ids=["a scale per channel", "a number", "two tensors, one of the result's shape"],
)
def test_what_keeps_the_shape_of_a_computed_tensor_stays(body, shapes):
    before = annotated(body, *shapes)
    tvm.ir.assert_structural_equal(MarkBroadcasts(context())(before), before)
    assert patterns(before) == [ELEMENTWISE]


def test_the_values_stay():
    x = np.full((1, 1, 1, 1), 0.75, np.float32)
    np.testing.assert_array_equal(run(MarkBroadcasts(context())(annotated(spread, x.shape)), x), x * FACTORS)


def test_in_the_pipeline_the_convolution_ends_where_its_value_is_spread(tmp_path):
    network = NETWORKS["one value spread over channels"]
    assert ("conv2d", "relu") in operations(tmp_path, network)


def test_what_comes_from_a_convolution_is_spread_by_no_epilogue():
    """The other operand is computed and of the result's shape: the function would be elementwise."""
    gate = lambda x, y: relax.op.multiply(
        relax.op.sigmoid(relax.op.nn.conv2d(x, const(random_input((64, 3, 1, 1))))), y
    )
    before = annotated(gate, (1, 3, 1, 1), (1, 64, 5, 4))
    assert patterns(before) == [CONVOLUTION, ELEMENTWISE, ELEMENTWISE]  # what TVM says
    assert patterns(MarkBroadcasts(context())(before)) == [CONVOLUTION, ELEMENTWISE, BROADCAST]


@pytest.mark.parametrize("shape", [(1, 64, 5, 4), (1, 64, 1, 1)], ids=["a residual", "a bias"])
def test_what_has_the_shape_of_the_convolution_stays_its_epilogue(shape):
    residual = lambda x, y: relax.op.add(relax.op.nn.conv2d(x, const(random_input((64, 3, 1, 1)))), y)
    before = annotated(residual, (1, 3, 5, 4), shape)
    tvm.ir.assert_structural_equal(MarkBroadcasts(context())(before), before)


@pytest.mark.parametrize(
    ("name", "alone"),
    [
        ("a gate of a binary convolution", ("binary conv2d", "scale", "sigmoid")),
        ("a mask of one binary channel", ("binary conv2d", "scale", "sigmoid")),
        ("a binary convolution of one image added to three", ("binary conv2d", "scale")),
        ("a binary column spread over a width", ("binary conv2d", "scale")),
        ("gates of dense layers", ("dense", "sigmoid")),
    ],
)
def test_in_the_pipeline_a_gate_ends_its_layer(tmp_path, name, alone):
    assert alone in operations(tmp_path, NETWORKS[name])
