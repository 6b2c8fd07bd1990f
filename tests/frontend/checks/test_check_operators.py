from __future__ import annotations

import pytest

from b2nn_tvm.errors import UnsupportedError
from b2nn_tvm.frontend.checks.check_operators import check_operators
from b2nn_tvm.frontend.read_onnx import name_nodes
from tests.support.networks.onnx_models import model

KNOWN = frozenset({"Conv", "Relu", "Reshape", "Add"})


def refused(nodes):
    built = model(nodes)
    name_nodes(built.graph)
    with pytest.raises(UnsupportedError) as found:
        check_operators(built, KNOWN)
    return str(found.value)


def test_known_operators():
    check_operators(model("a = Relu (input) output = Add (a, a)"), KNOWN)


def test_unknown_operators_and_domains_are_named():
    text = refused("a = other.Relu (input) b = Mystery (a) output = Mystery (b)")
    assert "other::Relu (node 'Relu_0'), Mystery (node 'Mystery_1' and 1 more); replace them by standard" in text


@pytest.mark.parametrize("op", ["RandomUniformLike", "RandomNormalLike", "Bernoulli"])
def test_random_numbers_have_a_remedy(op):
    text = refused(f"n = {op} (input) output = Add (input, n)")
    assert f"{op} (node '{op}_0')" in text
    assert "a remainder of training" in text and "model.eval()" in text and "by its mean" in text


@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers_say_where_to_cut(op):
    text = refused(f"c = Conv (input, w) f = Reshape (c, s) output = {op} (f, a, b)")
    assert "end the network at the tensor 'f'" in text
    assert """onnx.utils.extract_model("network.onnx", "part.onnx", ['input'], ['f'])""" in text


def test_a_recurrent_network_without_convolutions_has_no_part_to_compile():
    assert "no convolution in front of them" in refused("output = LSTM (input, a, b)")


def test_branches_on_data_name_tracing():
    text = refused("k = Reshape (input, s) output = If (k)")
    assert "condition and count are known" in text


@pytest.mark.parametrize("op", ["TopK", "NonMaxSuppression", "mmdeploy.Decode", "ai.onnx.ml.Scaler"])
def test_what_stands_behind_the_layers_can_be_cut_off(op):
    text = refused(f"c = Conv (input, w) f = Reshape (c, s) output = {op} (f, k)")
    assert "end the network at the tensor 'f'" in text
    assert ("no library has kernels" in text) == ("." not in op)


def test_operators_without_kernels_and_without_layers_in_front():
    assert "compute them outside of the network" in refused("output = TopK (input, k)")
    assert "classical machine learning is not compiled" in refused("output = ai.onnx.ml.Scaler (input)")
