"""Two recordings become one graph, or the batch size decides too much."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from b2nn_tvm.mixbin.network.capture import capture
from b2nn_tvm.mixbin.tracing.any_batch import BATCHES, BatchDecides, for_any_batch
from b2nn_tvm.mixbin.tracing.record import record

CPU = {"dtype": torch.float32, "device": torch.device("cpu")}


class Net(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def recordings(function):
    return [record(Net(function), (batch, 4, 8, 8), **CPU) for batch in BATCHES]


def test_sizes_of_the_batch_are_read_from_the_input_and_other_sizes_stay():
    small, large = recordings(lambda x: x.reshape(x.shape[0] * 2, x.shape[1] // 2, 8, x.shape[3])[: x.shape[0]])
    for_any_batch(small, large, batch=3)
    nodes = {node.name: node for node in small.graph.nodes}
    assert [str(each) for each in nodes["reshape"].args] == ["input_1", "mul", "2", "8", "8"]
    assert (nodes["size"].args, nodes["mul"].args) == ((nodes["input_1"], 0), (nodes["size"], 2))
    assert [nodes[name].meta["shape"] for name in ("input_1", "reshape", "getitem")] == [
        (3, 4, 8, 8),
        (6, 2, 8, 8),
        (3, 2, 8, 8),
    ]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.stack([row * 2 for row in x]),
        lambda x: x[: x.shape[0] // 3],
        lambda x: x * (1 / x.shape[0]),
        lambda x: x + 1 if x.shape[0] > 5 else x * 2,
        lambda x: x + torch.tensor([float(x.shape[0])]) if x.shape[0] > 5 else x + torch.tensor([1.0]),
        lambda x: x.view(1, x.shape[0] ** 2, -1) if x.shape[0] < 5 else x.view(1, 64, -1),
    ],
    ids=["a loop over images", "a part of the batch", "a mean", "a branch", "a constant", "a square"],
)
def test_a_batch_size_that_decides_more(function):
    small, large = recordings(function)
    with pytest.raises(BatchDecides):
        for_any_batch(small, large, batch=1)


def test_such_a_network_is_captured_for_its_own_batch_size():
    model = Net(lambda x: torch.stack([row * 2 for row in x])).eval()
    graph = capture(model, (3, 4, 8, 8))
    assert not graph.meta["any_batch"]
    x = torch.randn(3, 4, 8, 8)
    torch.testing.assert_close(graph(x), model(x))
