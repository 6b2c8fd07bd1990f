"""The convolutions of ONNX graphs: their names, shapes, and the same rule of eligibility as in torch."""

import numpy as np
import pytest

from b2nn_tvm.costs.eligibility import NARROW_GROUPS
from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.onnx_convolutions import static_graph
from b2nn_tvm.frontend.read_onnx import load_model
from tests.support.models.small_networks import small
from tests.support.networks.float_network import float_network
from tests.support.networks.onnx_models import model


def convolutions(nodes, constants, **kwargs):
    return {conv.name: conv for conv in static_graph(model(nodes, constants, **kwargs)).convolutions}


def weights(*shape):
    return np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def test_names_shapes_and_reasons_of_a_network_with_odd_names():
    found = {conv.name: conv for conv in static_graph(float_network()).convolutions}
    assert list(found) == ["/stem/Conv", "Conv_3", "odd name", "/up/up.0/conv/Conv", "last"]
    assert found["/stem/Conv"].names == ("/stem/Conv", "stem", "the stem's w")
    assert found["Conv_3"].names == ("Conv_3", "block.0.weight", "block.0")
    assert found["odd name"].names == ("odd name", "alias", "blöck 1.weight", "blöck 1")
    assert found["/up/up.0/conv/Conv"].names == ("/up/up.0/conv/Conv", "up.0.conv", "grouped")
    assert found["Conv_3"].workload.key == "conv2d_n1_c8_h9_w8_o8_k3x3_s2x2_p1x0x1x1_d1x1_g1"
    assert found["last"].workload.padding == (0, 1, 1, 0)
    assert [conv.reason for conv in found.values()] == ["first convolution", "", "", NARROW_GROUPS, ""]
    assert [conv.obstacle for conv in found.values()] == ["", "", "", NARROW_GROUPS, ""]


@pytest.mark.parametrize(
    "name", ["squeezenet", *(pytest.param(name, marks=pytest.mark.sweep) for name in ("resnet18", "mobilenet"))]
)
def test_the_export_of_a_torch_network_has_the_eligible_layers_of_the_network(name, tmp_path):
    pytest.importorskip("torch", reason="exports a network; torch is of the extra train")
    from b2nn_tvm.export.export_onnx import export_onnx
    from b2nn_tvm.mixbin.network.layers import trace

    network, shape = small(name)
    path = export_onnx(network.eval(), tmp_path / "net.onnx", input_shape=shape)
    rows = [row for row in trace(network, shape) if row.kind == "Conv2d"]
    found = {conv.name: conv for conv in static_graph(load_model(path)).convolutions}
    assert {row.name: row.reason for row in rows} == {name: conv.reason for name, conv in found.items()}
    assert {row.name: row.workload for row in rows} == {name: conv.workload for name, conv in found.items()}
    assert all(f"{name}.weight" in conv.names for name, conv in found.items())


def test_shared_weights_and_weights_that_are_binary_already():
    nodes = """["stem"] a = Conv (input, w) ["one"] b = Conv (a, v) ["two"] c = Conv (b, v)
        ["signs"] d = Conv (c, k) output = Relu (d)"""
    found = convolutions(nodes, {"w": weights(4, 4, 1, 1), "v": weights(4, 4, 1, 1), "k": np.sign(weights(4, 4, 1, 1))})
    assert found["one"].reason == found["two"].reason == "called more than once: its weights are shared"
    assert found["signs"].reason == "its weights are already binary"
    assert not any(conv.obstacle for conv in found.values()), "a plan may still choose them"


def test_what_has_no_binary_form():
    nodes = """["stem"] a = Conv (input, w) ["run time"] b = Conv (a, kernel)
        ["depthwise"] c = Conv <group = 4> (b, g) ["broken"] output = Conv (c, nan)"""
    constants = {"w": weights(4, 4, 1, 1), "g": weights(4, 1, 1, 1), "nan": np.full((4, 4, 1, 1), np.nan, np.float32)}
    found = convolutions(nodes, constants, inputs="float[1,4,6,5] input, float[4,4,1,1] kernel")
    assert found["run time"].obstacle == "its weights are computed at run time"
    assert found["depthwise"].obstacle == "depthwise convolution"
    assert found["broken"].obstacle == "some of its weights are not finite"


def test_half_precision_has_no_binary_form():
    found = convolutions(
        '["half"] output = Conv (input, w)',
        {"w": weights(4, 4, 1, 1).astype(np.float16)},
        inputs="float16[1,4,6,5] input",
        outputs="float16[N,C,H,W] output",
    )
    assert found["half"].obstacle == "its weights are float16, not float"


def test_an_open_batch_is_1_and_other_open_sizes_are_refused():
    nodes, constants = '["a"] output = Conv (input, w)', {"w": weights(4, 4, 1, 1)}
    assert convolutions(nodes, constants, inputs="float[n,4,6,5] input")["a"].workload.batch == 1
    with pytest.raises(InputError, match="only the batch may be left open"):
        convolutions(nodes, constants, inputs="float[n,4,h,w] input")


def test_the_model_itself_stays_as_it_is():
    before = float_network()
    static_graph(before)
    assert before == float_network()


@pytest.mark.parametrize("dynamo", [True, False])
def test_both_exporters_of_torch_leave_names_by_which_a_plan_finds_its_layers(dynamo, tmp_path):
    torch = pytest.importorskip("torch", reason="exports a network; torch is of the extra train")
    from b2nn_tvm.mixbin.network.layers import trace
    from b2nn_tvm.mixbin.network.silence import quiet

    network, shape = small("resnet18")
    with quiet():
        torch.onnx.export(network.eval(), (torch.zeros(1, *shape),), tmp_path / "net.onnx", dynamo=dynamo)
    convolutions = static_graph(load_model(tmp_path / "net.onnx")).convolutions
    for layer in trace(network, shape).eligible:
        assert [conv.reason for conv in convolutions if layer in conv.names] == [""], layer
