"""Networks as graphs: their shapes, their activations, and what is said of those that cannot be traced."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from b2nn_tvm import models
from b2nn_tvm.errors import InputError, UnsupportedError
from b2nn_tvm.mixbin.modules.activations import BinReLU
from b2nn_tvm.mixbin.modules.binary_conv import BinaryConv2d
from b2nn_tvm.mixbin.network.capture import (
    batched,
    capture,
    capture_shapes,
    remembered_shape,
    run_without_values,
    shape_of,
)
from b2nn_tvm.mixbin.network.fx_nodes import module_of
from b2nn_tvm.mixbin.network.layers import trace


def conv(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)


def network():
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)]
    return nn.Sequential(nn.Sequential(conv(3, 8), nn.BatchNorm2d(8)), *head)


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Holder(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(conv(3, 3), Branching())

    def forward(self, x):
        return self.block(x)


def test_untraceable_models_name_the_module_and_the_line():
    line = Branching.forward.__code__.co_firstlineno + 1
    with pytest.raises(
        UnsupportedError,
        match=rf"Holder cannot be traced: its module 'block.1' \(test_capture.py:{line}\) decides by the values of",
    ):
        trace(Holder(), (3, 4, 4))


class Step(nn.Module):
    """One function of a tensor as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    "step",
    [
        lambda x: x * float(x.mean()),
        lambda x: x[x > 0].sum() + x,
        lambda x: x * 2 if torch.any(x > 0) else x,
        torch.nonzero,
    ],
    ids=["a number from a tensor", "a selection by values", "a branch", "places of values"],
)
def test_what_the_values_of_the_image_decide_is_refused(step):
    with pytest.raises(
        UnsupportedError, match=r"its module '1' \(test_capture.py:\d+\) decides by .*; use torch.where"
    ):
        trace(nn.Sequential(conv(3, 3), Step(step)), (3, 4, 4))


def test_without_a_shape_torch_traces_symbolically():
    model = nn.Sequential(conv(3, 3), Step(lambda x: x if x.shape[2] > 2 else -x)).eval()
    with pytest.raises(
        UnsupportedError,
        match=r"without the shape of its input: its module '1' .*; trace it first, or give its input_shape",
    ):
        capture(model)
    assert [node.name for node in capture(model, (3, 4, 4)).graph.nodes] == ["input_1", "_0", "output"]
    assert remembered_shape(model) is None
    trace(model, (3, 4, 4))
    assert remembered_shape(model) == (1, 3, 4, 4)
    assert [node.name for node in capture(model).graph.nodes] == ["input_1", "_0", "output"]


class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(conv(3, 3), Step(lambda x: x.cuda_or_not()))

    def forward(self, x):
        return self.body(x)


def test_errors_of_the_users_code_are_shown_as_theirs():
    with pytest.raises(
        InputError,
        match=r"Broken .*: its module 'body.1' \(test_capture.py:\d+\) fails with: AttributeError: .*cuda_or_not",
    ):
        trace(Broken(), (3, 4, 4))
    with pytest.raises(InputError, match=r"\(test_capture.py:\d+\) fails with: AttributeError"):
        run_without_values(Broken(), (3, 4, 4))


def test_shapes_that_do_not_fit_are_refused_in_one_line(capfd):
    with pytest.raises(InputError, match=r"Sequential does not accept an input of shape \(1, 4, 8, 8\)"):
        trace(network(), (4, 8, 8))
    with pytest.raises(InputError, match=r"an input shape is \[C, H, W\] or \[N, C, H, W\]"):
        trace(network(), (8,))
    for shape in ((3, 0, 8), "3x16x16", "abc", None, 3, ((3, 16, 16),), (3, 16.5, 16)):
        with pytest.raises(InputError, match="in positive whole numbers, not "):
            trace(network(), shape)
    with pytest.raises(InputError, match=r"Bilinear does not accept .* \(1, 3, 8, 8\): .*input2"):
        trace(nn.Bilinear(8, 8, 2), (3, 8, 8))
    with pytest.raises(
        InputError, match=r"BiRealNet does not accept an input of shape \(1, 3, 64, 64\): .* \[64, 100\]\.?$"
    ):
        trace(models.cresnet20(), (3, 64, 64))
    assert capfd.readouterr() == ("", "")


def nodes(graph_module):
    return {node.name: node for node in graph_module.graph.nodes}


def test_every_node_knows_its_shape():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.Flatten()).double()
    graph = nodes(capture_shapes(model, (2, 3, 8, 8)))
    assert [shape_of(graph[name]) for name in ("input_1", "_0", "_1", "_2")] == [
        (2, 3, 8, 8),
        (2, 4, 6, 6),
        (2, 4, 3, 3),
        (2, 36),
    ]


def test_modules_are_shared_and_ours_are_leaves():
    model = nn.Sequential(BinReLU(), nn.Sequential(BinaryConv2d(2, 2, (1, 1))))
    captured = capture(model)
    called = [module_of(node, captured) for node in captured.graph.nodes if node.op == "call_module"]
    assert called == [model[0], model[1][0]]
    with pytest.raises(InputError, match=r"an input shape is \[C, H, W\]"):
        batched((3, 0, 8))
