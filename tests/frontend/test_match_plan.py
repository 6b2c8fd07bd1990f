import re

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.match_plan import match_plan
from b2nn_tvm.frontend.onnx_convolutions import OnnxConvolution
from b2nn_tvm.plan import Plan, Precision
from b2nn_tvm.workload import ConvWorkload

FLOAT, BINARY, WEIGHT_BINARY = Precision.FLOAT, Precision.BINARY, Precision.WEIGHT_BINARY
WORKLOAD = ConvWorkload(1, 8, 6, 6, 8, (3, 3), padding=(1, 1, 1, 1))


def conv(name, *names, workload=WORKLOAD, obstacle=""):
    return OnnxConvolution(name, (name, *names), workload, obstacle, obstacle)


CONVS = (
    conv("node_Conv_1", "layer1.0.conv1.weight", "layer1.0.conv1"),
    conv("node_Conv_2", "layer1.0.conv2.weight", "layer1.0.conv2"),
    conv("shared", "s.weight", "s"),
    conv("shared#2", "s.weight", "s"),
    conv("deep", obstacle="depthwise convolution"),
)


def refused(plan, *parts):
    with pytest.raises(InputError) as caught:
        match_plan(plan, CONVS)
    for part in parts:
        assert part in str(caught.value)


def test_layers_are_found_by_node_weight_and_module_in_the_order_of_the_file():
    plan = Plan({"layer1.0.conv2": WEIGHT_BINARY, "node_Conv_1": BINARY, "fc": FLOAT})
    assert list(match_plan(plan, CONVS).items()) == [("node_Conv_1", BINARY), ("node_Conv_2", WEIGHT_BINARY)]
    assert match_plan(Plan({"layer1.0.conv1.weight": BINARY}), CONVS) == {"node_Conv_1": BINARY}


def test_all_convolutions_of_shared_weights_become_binary_together():
    assert match_plan(Plan({"s": BINARY}), CONVS) == {"shared": BINARY, "shared#2": BINARY}
    assert match_plan(Plan({"shared#2": BINARY}), CONVS) == {"shared#2": BINARY}


def test_a_float_plan_changes_nothing():
    assert match_plan(Plan({"nowhere": FLOAT}), CONVS) == {}


def test_missing_names_are_refused_with_the_close_ones():
    plan = Plan({"layer1.0.conv3": BINARY, "zzz": BINARY}, model="resnet")
    refused(
        plan, "the plan for resnet does not fit this ONNX file: it has no convolution layer1.0.conv3 (close to it: "
    )
    refused(
        plan, "layer1.0.conv1, layer1.0.conv2", "zzz (its convolutions are layer1.0.conv1, layer1.0.conv2, s, s, deep)"
    )


def test_layers_without_a_binary_form_are_refused():
    refused(Plan({"deep": BINARY}), "cannot be made binary as the plan says: deep (depthwise convolution)")


def test_another_convolution_is_refused_and_another_image_is_not():
    key = ConvWorkload(1, 8, 6, 6, 8, (1, 1)).key
    refused(
        Plan({"layer1.0.conv1": BINARY}, {"layer1.0.conv1": key}),
        "layer1.0.conv1 (another convolution: kernel 1x1 there, 3x3 here, padding 0x0x0x0 there, 1x1x1x1 here)",
    )
    larger = re.sub("h6_w6", "h24_w24", WORKLOAD.key)
    assert match_plan(Plan({"layer1.0.conv1": BINARY}, {"layer1.0.conv1": larger}), CONVS) == {"node_Conv_1": BINARY}


def test_two_precisions_of_one_layer_are_refused():
    refused(Plan({"s": BINARY, "shared": WEIGHT_BINARY}), "two precisions, under different names: shared")
