"""Where a network may end in front of what cannot be compiled."""

from __future__ import annotations

import onnx
import pytest

from b2nn_tvm.frontend.checks.suggest_cut import suggest_cut
from tests.support.networks.onnx_networks import Network

DETECTOR = Network(
    "a = Conv (input, w) boxes = Conv (a, v) s = Conv (a, v) scores = Sigmoid (s)"
    " chosen = NonMaxSuppression (boxes, scores, most) i = Squeeze (chosen, one) output = Gather <axis = 1> (boxes, i)",
    {"w": (4, 4, 3, 3), "v": (4, 4, 1, 1), "most": (1,), "one": (1,)},
)


def suggested(network: Network, op: str, *more_outputs: str) -> str:
    graph = network.build().graph
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in more_outputs)
    return suggest_cut(graph, [node for node in graph.node if node.op_type == op])


def test_a_detector_ends_in_front_of_the_selection_of_boxes(tmp_path):
    text = suggested(DETECTOR, "NonMaxSuppression")
    assert text.startswith("end the network at the tensors 'boxes', 'scores', compile that part")
    assert """extract_model("network.onnx", "part.onnx", ['input'], ['boxes', 'scores'])""" in text
    whole, part = str(tmp_path / "network.onnx"), str(tmp_path / "part.onnx")
    onnx.save(DETECTOR.build(), whole)
    onnx.utils.extract_model(whole, part, ["input"], ["boxes", "scores"])
    assert [node.op_type for node in onnx.load(part).graph.node] == ["Conv", "Conv", "Conv", "Sigmoid"]


def test_outputs_that_can_be_computed_stay_and_what_stands_behind_the_cut_does_not():
    assert "['input'], ['boxes', 'scores', 'a'])" in suggested(DETECTOR, "NonMaxSuppression", "a", "chosen")
    assert "['input'], ['chosen', 'boxes'])" in suggested(DETECTOR, "Squeeze")


@pytest.mark.parametrize(
    "nodes",
    ["a = Relu (input) output = TopK (a, k)", "output = TopK (input, k)", "a = TopK (input, k) output = Conv (a, w)"],
)
def test_without_a_layer_in_front_there_is_nothing_to_compile(nodes):
    assert suggested(Network(nodes, {"k": (1,), "w": (4, 4, 1, 1)}), "TopK") == ""


def test_a_cut_through_many_tensors_is_none():
    parts = " ".join(f"a{index} = Conv (input, w)" for index in range(9))
    all_of = ", ".join(f"a{index}" for index in range(9))
    assert suggested(Network(f"{parts} output = Other ({all_of})", {"w": (4, 4, 1, 1)}), "Other") == ""
