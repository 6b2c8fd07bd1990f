"""Captured networks are copied and pickled with what they know."""

from __future__ import annotations

import copy
import pickle

import torch
from torch import nn
from torch.nn import functional as F

from b2nn_tvm.mixbin.network.capture import capture, remembered_shape
from b2nn_tvm.mixbin.tracing.captured_network import CapturedNetwork


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        start = torch.zeros(x.shape[0], 4, 1, 1, dtype=x.dtype)
        return F.max_pool2d(self.conv(x), 2) + start


def test_copies_are_the_same_network():
    graph = capture(Net().train(), (3, 8, 8))
    assert (graph.training, graph.conv.training) == (True, True)
    assert type(pickle.loads(pickle.dumps(graph))).__name__ == "Net"
    x = torch.randn(5, 3, 8, 8)
    for twin in (
        copy.deepcopy(graph),
        pickle.loads(pickle.dumps(graph)),
        copy.deepcopy(pickle.loads(pickle.dumps(graph))),
    ):
        assert isinstance(twin, CapturedNetwork)
        assert twin.conv is not graph.conv
        assert remembered_shape(twin) == (1, 3, 8, 8)
        assert twin.meta["any_batch"]
        torch.testing.assert_close(twin(x), graph(x), rtol=0, atol=0)
        assert list(twin.state_dict()) == list(graph.state_dict())
        assert [node.name for node in twin.graph.nodes] == [node.name for node in graph.graph.nodes]
