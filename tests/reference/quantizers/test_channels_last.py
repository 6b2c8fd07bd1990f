"""Channels-last operators of QONNX against the standard ones on transposed tensors."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.reference.quantizers.expand_quantizers import expand_quantizers
from tests.support.networks.onnx_models import model, onnxruntime_output, save

RNG = np.random.default_rng(0)
WEIGHT = RNG.standard_normal((3, 2, 3, 4)).astype(np.float32)  # O, kh, kw, C
PER_CHANNEL = {name: RNG.uniform(0.5, 2, 4).astype(np.float32) for name in "gbmv"}
GEOMETRY = "kernel_shape = [2, 3], strides = [2, 1], pads = [1, 0, 0, 1]"
FORMS = {
    "Conv": f"Conv <{GEOMETRY}> (input, w)",
    "MaxPool": f"MaxPool <{GEOMETRY}> (input)",
    "BatchNormalization": "BatchNormalization (input, g, b, m, v)",
}


@pytest.mark.parametrize("op", FORMS)
def test_it_is_the_standard_operator_between_transposes(op, tmp_path):
    x = RNG.standard_normal((1, 4, 6, 5)).astype(np.float32)
    domain = "qonnx.custom_op.channels_last."
    last = model(f"output = {domain}{FORMS[op]}", {"w": WEIGHT, **PER_CHANNEL}, inputs="float[1,6,5,4] input")
    last.opset_import.append(helper.make_opsetid(domain[:-1], 1))
    last.graph.node[0].name = "layer"
    expand_quantizers(last)
    assert [node.op_type for node in last.graph.node if node.name == "layer"] == [op]
    first = model(f"output = {FORMS[op]}", {"w": WEIGHT.transpose(0, 3, 1, 2).copy(), **PER_CHANNEL})
    found = onnxruntime_output(save(tmp_path, last, "last.onnx"), x.transpose(0, 2, 3, 1).copy())
    expected = onnxruntime_output(save(tmp_path, first, "first.onnx"), x)
    np.testing.assert_allclose(found.transpose(0, 3, 1, 2), expected, rtol=1e-5, atol=1e-6)


def test_an_input_of_unknown_rank_is_refused():
    domain = "qonnx.custom_op.channels_last"
    nodes = f"s = Shape (input) r = Reshape (input, n) output = {domain}.BatchNormalization (r, g, b, m, v)"
    built = model(nodes, PER_CHANNEL, inputs="float[1,6,5,4] input, int64[K] n")
    with pytest.raises(UnsupportedError, match="the shape of its input is not known"):
        expand_quantizers(built)
