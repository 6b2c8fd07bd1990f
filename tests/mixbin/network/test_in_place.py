"""Operations that overwrite a tensor, and nodes whose values nobody reads."""

from __future__ import annotations

import operator

import pytest
import torch
from torch import fx, nn
from torch.nn import functional as F

from b2nn_tvm.mixbin.network.in_place import is_in_place, overwrites, remove_unused
from b2nn_tvm.mixbin.tracing.operations import set_item


def one_node(op, target, *args, **kwargs):
    graph = fx.Graph()
    x = graph.placeholder("x")
    node = graph.create_node(op, target, (x, *args), kwargs)
    graph.output(x)
    return graph, node


@pytest.mark.parametrize(
    ("op", "target", "args", "kwargs", "expected"),
    [
        ("call_function", F.relu, (), {}, False),
        ("call_function", F.relu, (True,), {}, True),
        ("call_function", F.relu, (), {"inplace": True}, True),
        ("call_function", torch.relu_, (), {}, True),
        ("call_method", "add_", (1,), {}, True),
        ("call_method", "add", (1,), {}, False),
        ("call_method", "__add__", (1,), {}, False),
        ("call_function", operator.iadd, (1,), {}, True),
        ("call_function", set_item, (0, 1), {}, True),
        ("call_function", torch.add, (1,), {"out": 1}, True),
        ("call_module", "quiet", (), {}, False),
        ("call_module", "loud", (), {}, True),
    ],
)
def test_what_overwrites_stays_though_nobody_reads_it(op, target, args, kwargs, expected):
    model = nn.ModuleDict({"quiet": nn.ReLU(), "loud": nn.Dropout(inplace=True)})
    graph, node = one_node(op, target, *args, **kwargs)
    assert overwrites(node, model) == expected
    remove_unused(graph, model)
    assert (node in graph.nodes) == expected


def test_activations_in_place():
    model = nn.ModuleDict({"act": nn.ReLU(inplace=True)})
    assert is_in_place(one_node("call_module", "act")[1], model)
    assert not is_in_place(one_node("call_function", F.relu, False)[1], model)
